import { bestStock, figuresOf, medianOf, startContest } from './contest.ts'
import type { Row } from './row.ts'
import type { BenchOptions } from './scale.ts'

const MEMBERS = 1_000
const TEXT_BYTES = 64
/** Messages in flight, and how many times stock's deliveries per CPU second are wanted. */
const TARGETS = [
  [4, 3.5],
  [16, 8],
  [64, 20],
] as const

/** One room in which a number of messages is always under way: what a delivery costs when there is no pause. */
export async function measureClosedLoop(options: BenchOptions): Promise<readonly Row[]> {
  const groups = [{ room: 'hall', members: MEMBERS, witnesses: 4, senders: 16 }]
  await using contest = await startContest(groups, options, { isApart: false })
  const rows: Row[] = []
  for (const [inFlight, target] of TARGETS) {
    options.note(`1 room of ${MEMBERS}, ${inFlight} in flight`)
    const results = await contest.measure({ kind: 'closed', inFlight, textBytes: TEXT_BYTES })
    const figures = figuresOf(results)
    const roomcast = medianOf(figures['roomcast'] ?? {}, 'deliveriesPerCpuSecond')
    const best = bestStock(figures, 'deliveriesPerCpuSecond', 'higher')
    const stock = medianOf(best, 'deliveriesPerCpuSecond')
    const thousands = (value: number): string =>
      (1_000 * Math.round(value / 1_000)).toLocaleString('en')
    rows.push({
      what: `closed loop, 1 room of ${MEMBERS}, ${inFlight} in flight`,
      measured: `${thousands(roomcast)} deliveries per CPU second, stock ${thousands(stock)}: ${(roomcast / stock).toFixed(1)} times`,
      target: `at least ${target} times`,
      isMet: results.isProven && roomcast / stock >= target,
      figures,
      notes: results.notes,
    })
  }
  return rows
}
