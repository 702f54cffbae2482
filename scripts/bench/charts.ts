import type { Bar, BarChart, BarGroup } from './bar-chart.ts'
import type { Row } from './row.ts'

/** What to draw of a row. */
interface Aspect {
  readonly id: string
  readonly label: string
  readonly figure: string
  readonly write: (value: number) => string
}

const thousands = (value: number): string =>
  (1_000 * Math.round(value / 1_000)).toLocaleString('en')
const percent = (value: number): string => `${(100 * value).toFixed(0)} %`
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`
const kb = (value: number): string => `${(value / 1_000).toFixed(1)} KB`

const CHARTS: readonly {
  readonly file: string
  readonly title: string
  readonly aspects: readonly Aspect[]
}[] = [
  {
    file: 'bench-fan-out.svg',
    title: 'Deliveries per CPU second, a room of 1,000: more is better',
    aspects: [4, 16, 64].map((inFlight) => ({
      id: `closed-loop-${inFlight}`,
      label: `${inFlight} in flight`,
      figure: 'deliveriesPerCpuSecond',
      write: thousands,
    })),
  },
  {
    file: 'bench-cpu.svg',
    title: 'CPU of the server processes, in per cent of a core: less is better',
    aspects: [
      { id: 'open-loop', label: 'a room of 1,000, 100/s' },
      { id: 'small-rooms-10', label: '500 rooms of 10, 10/s each' },
      { id: 'small-rooms-1', label: '500 rooms of 10, 1/s each' },
    ].map((aspect) => ({ ...aspect, figure: 'serverCores', write: percent })),
  },
  {
    file: 'bench-latency.svg',
    title: 'p99 from when a message is due to its arrival: less is better',
    aspects: [
      { id: 'open-loop', label: 'a room of 1,000, 100/s' },
      { id: 'small-rooms-10', label: '500 rooms of 10, 10/s each' },
      { id: 'small-rooms-1', label: '500 rooms of 10, 1/s each' },
    ].map((aspect) => ({ ...aspect, figure: 'p99Ms', write: ms })),
  },
  {
    file: 'bench-memory.svg',
    title: 'Resident memory of an idle joined connection: less is better',
    aspects: [{ id: 'memory', label: 'each of 10,000', figure: 'bytesEach', write: kb }],
  },
]

/** The charts for which there are rows, by their file. */
export function chartsOf(rows: readonly Row[]): ReadonlyMap<string, BarChart> {
  const charts = new Map<string, BarChart>()
  for (const { file, title, aspects } of CHARTS) {
    const groups = aspects.flatMap((aspect) => groupOf(rows, aspect))
    if (groups.length === 0) continue
    const series = [...new Set(groups.flatMap(({ bars }) => bars.map((bar) => bar.series)))]
    const description = groups
      .map(({ label, bars }) => `${label}: ${bars.map(sentence).join(', ')}.`)
      .join(' ')
    charts.set(file, { title, description, series, groups })
  }
  return charts
}

const sentence = ({ series, text }: Bar): string => `${series} ${text}`

function groupOf(rows: readonly Row[], { id, label, figure, write }: Aspect): readonly BarGroup[] {
  const row = rows.find((row) => row.id === id)
  if (row === undefined) return []
  const bars = Object.entries(row.figures).flatMap(([system, figures]) => {
    const spread = figures[figure]
    // Without a sample there is no percentile: NaN, and null in JSON.
    if (spread === undefined || !Number.isFinite(spread.median)) return []
    const { median, lowest, highest } = spread
    return [{ series: nameOf(system), value: median, lowest, highest, text: write(median) }]
  })
  return [{ label, bars }]
}

const nameOf = (system: string): string =>
  system === 'roomcast' ? 'Roomcast' : system.replace('stock', 'Socket.IO')
