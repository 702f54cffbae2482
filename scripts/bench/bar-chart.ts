import { COLOURS, escape, fixed, FONT, text } from './svg.ts'

/** A chart of horizontal bars in groups, one colour for each series. */
export interface BarChart {
  readonly title: string
  /** What a reader who can not see it should know. */
  readonly description: string
  readonly series: readonly string[]
  readonly groups: readonly BarGroup[]
}

export interface BarGroup {
  readonly label: string
  readonly bars: readonly Bar[]
}

export interface Bar {
  readonly series: string
  readonly value: number
  /** The range of the rounds, drawn as a line over the bar's end. */
  readonly lowest: number
  readonly highest: number
  /** The value as it is written beside the bar. */
  readonly text: string
}

const WIDTH = 720
const LABELS = 190
/** Right of the longest bar, for its text. */
const TEXTS = 110
const BAR = 18
const GAP = 4
const BETWEEN_GROUPS = 14
const HEAD = 64
const FOOT = 12

/** The chart as SVG of fixed size, readable on light and dark pages; no scripts, no fonts of its own. */
export function drawBars({ title, description, series, groups }: BarChart): string {
  const bars = groups.flatMap((group) => group.bars)
  const longest = Math.max(...bars.map(({ value, highest }) => Math.max(value, highest)))
  const scale = (value: number): number => (value / longest) * (WIDTH - LABELS - TEXTS)
  const parts: string[] = []
  let y = HEAD
  for (const group of groups) {
    const height = group.bars.length * (BAR + GAP) - GAP
    parts.push(text('label', LABELS - 10, y + height / 2 + 4, group.label, 'end'))
    for (const bar of group.bars) {
      const colour = `c${series.indexOf(bar.series)}`
      const end = LABELS + scale(bar.value)
      const [low, high] = [LABELS + scale(bar.lowest), LABELS + scale(bar.highest)]
      const middle = y + BAR / 2
      parts.push(
        `<rect class="${colour}" x="${LABELS}" y="${y}" width="${fixed(end - LABELS)}" height="${BAR}" rx="2"/>`,
        `<path class="range" d="M${fixed(low)} ${middle}H${fixed(high)}"/>`,
        text('value', Math.max(end, high) + 6, middle + 4, bar.text),
      )
      y += BAR + GAP
    }
    y += BETWEEN_GROUPS - GAP
  }
  const height = y - BETWEEN_GROUPS + FOOT
  let x = LABELS
  const legend = series.map((name, i) => {
    const mark = `<rect class="c${i}" x="${x}" y="36" width="12" height="12" rx="2"/>${text('value', x + 17, 46, name)}`
    x += 34 + name.length * 7
    return mark
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description" font-family="${FONT}">
<title id="title">${escape(title)}</title>
<desc id="description">${escape(description)}</desc>
<style>
text{fill:#1f2937;font-size:12px}
.title{font-size:15px;font-weight:600}
.range{stroke:#111827;stroke-width:1.5}
${COLOURS.slice(0, series.length)
  .map(([light], i) => `.c${i}{fill:${light}}`)
  .join('\n')}
@media (prefers-color-scheme:dark){
text{fill:#e5e7eb}
.range{stroke:#f9fafb}
${COLOURS.slice(0, series.length)
  .map(([, dark], i) => `.c${i}{fill:${dark}}`)
  .join('\n')}
}
</style>
${text('title', 10, 22, title)}
${legend.join('\n')}
${parts.join('\n')}
</svg>
`
}
