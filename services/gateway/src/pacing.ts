/** How the rounds of a room follow each other. */
export interface Pacing {
  /** A room rests this many times as long as its last round took. 0: no rest. */
  readonly rest: number
  /** The longest rest, in milliseconds: what pacing may add to a message's way. 0: no rest. */
  readonly maxDelayMs: number
}

/** Part of a long round's time that its room rests in any case, so that the event loop is not all its own. */
const LEAST_REST = 1 / 8

/**
 * How long a room rests after a round, in milliseconds. A round costs one write for each member, however much the write holds, so a room
 * that is busy and large is told less often and more at a time. It takes at most the share 1 / (1 + `rest`) of the event loop while the
 * rest is below its cap; a small room's rest is over before its next message comes, and a quiet room is never kept waiting. A round
 * that takes longer than `maxDelayMs` gathers enough while it is under way: what it is over is taken off its rest.
 */
export function restAfter(costMs: number, { rest, maxDelayMs }: Pacing): number {
  const cost = Math.max(0, costMs)
  const cap = Math.max(2 * maxDelayMs - cost, cost * LEAST_REST)
  return Math.min(cost * rest, maxDelayMs, cap)
}
