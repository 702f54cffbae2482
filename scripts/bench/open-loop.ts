import { bestStock, figuresOf, medianOf, startContest } from './contest.ts'
import type { Row } from './row.ts'
import type { BenchOptions } from './scale.ts'

const MEMBERS = 1_000
const PER_SECOND = 100
const TEXT_BYTES = 64
const CPU_SHARE = 0.25
const EXTRA_P99_MS = 30
/** The window's edges cut off some deliveries. */
const KEEPS_UP = 0.98

/** One room in which a hundred messages a second are said, whatever becomes of them. */
export async function measureOpenLoop(options: BenchOptions): Promise<readonly Row[]> {
  const groups = [{ room: 'hall', members: MEMBERS, witnesses: 4, senders: 4 }]
  await using contest = await startContest(groups, options, { isApart: true })
  options.note(`1 room of ${MEMBERS}, ${PER_SECOND} messages a second`)
  const results = await contest.measure({
    kind: 'open',
    perSecond: PER_SECOND,
    textBytes: TEXT_BYTES,
  })
  const figures = figuresOf(results)
  const roomcast = figures['roomcast'] ?? {}
  const stock = bestStock(figures, 'serverCores', 'lower')
  const [cpu, stockCpu] = [medianOf(roomcast, 'serverCores'), medianOf(stock, 'serverCores')]
  const [p99, stockP99] = [medianOf(roomcast, 'p99Ms'), medianOf(stock, 'p99Ms')]
  const text = (of: typeof stock): string =>
    `CPU ${(100 * medianOf(of, 'serverCores')).toFixed(0)} % of a core, p50 ${medianOf(of, 'p50Ms').toFixed(1)} ms, p99 ${medianOf(of, 'p99Ms').toFixed(1)} ms`
  return [
    {
      id: 'open-loop',
      what: `open loop, 1 room of ${MEMBERS} at ${PER_SECOND} messages a second`,
      measured: `${text(roomcast)}; stock ${text(stock)}`,
      target: `CPU at most a quarter, p99 at most ${EXTRA_P99_MS} ms above`,
      // Little CPU is no merit of who does not keep up.
      isMet:
        results.isProven &&
        medianOf(roomcast, 'deliveriesPerSecond') >= KEEPS_UP * PER_SECOND * MEMBERS &&
        cpu / stockCpu <= CPU_SHARE &&
        p99 <= stockP99 + EXTRA_P99_MS,
      figures,
      notes: results.notes,
    },
  ]
}
