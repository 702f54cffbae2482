import { bestStock, figuresOf, medianOf, startContest } from './contest.ts'
import type { Row } from './row.ts'
import type { BenchOptions } from './scale.ts'

const ROOMS = 500
const MEMBERS = 10
const TEXT_BYTES = 64
/** Messages a second in each room, and how many times less CPU time than stock is wanted. */
const TARGETS = [
  [10, 1.6],
  [1, 1.3],
] as const

/** Many rooms in which few hear what is said: here the way to the log costs more than the fan-out. */
export async function measureSmallRooms(options: BenchOptions): Promise<readonly Row[]> {
  const groups = Array.from({ length: ROOMS }, (_, i) => ({
    room: `table-${i}`,
    members: MEMBERS,
    witnesses: 1,
    senders: 1,
  }))
  await using contest = await startContest(groups, options, { isApart: true })
  const rows: Row[] = []
  for (const [perSecond, target] of TARGETS) {
    options.note(`${ROOMS} rooms of ${MEMBERS}, ${perSecond} messages a second in each`)
    const results = await contest.measure({
      kind: 'open',
      perSecond: perSecond * ROOMS,
      textBytes: TEXT_BYTES,
    })
    const figures = figuresOf(results)
    // By delivery: a saturated server would look cheap if it were only asked how much of its core it took.
    const cost = (of: Row['figures'][string]): number => 1 / medianOf(of, 'deliveriesPerCpuSecond')
    const roomcast = cost(figures['roomcast'] ?? {})
    const stock = cost(bestStock(figures, 'deliveriesPerCpuSecond', 'higher'))
    const us = (seconds: number): string => `${(1_000_000 * seconds).toFixed(1)} us`
    rows.push({
      id: `small-rooms-${perSecond}`,
      what: `open loop, ${ROOMS} rooms of ${MEMBERS} at ${perSecond} messages a second each`,
      measured: `CPU ${us(roomcast)} a delivery, stock ${us(stock)}: ${(stock / roomcast).toFixed(2)} times less`,
      target: `at least ${target} times less`,
      isMet: results.isProven && stock / roomcast >= target,
      figures,
      notes: results.notes,
    })
  }
  return rows
}
