import { parseOffset } from '@roomcast/protocol'

/** How far a member has got in its room's log. Undefined before its first join. */
export interface Cursor {
  readonly epoch: string
  readonly seq: number
}

export type Verdict =
  /** The one after the last. */
  | 'next'
  /** Some before it did not come. */
  | 'gap'
  /** It, or a later one, came before. */
  | 'again'
  /** The log began anew: a failover took back its end, as docs/reliability.md says. */
  | 'epoch'
  /** A message with a place in the log before the member joined, or with no place that can be read. */
  | 'astray'

/** Where a logged message leaves a member. Numbers of a log have no gaps, and every member gets every message. */
export function advance(
  cursor: Cursor | undefined,
  offset: string,
): { readonly verdict: Verdict; readonly cursor: Cursor | undefined } {
  const position = parseOffset(offset)
  if (cursor === undefined || position === undefined) return { verdict: 'astray', cursor }
  // A room in which nothing was ever said has no epoch yet.
  const isSame = position.epoch === cursor.epoch || cursor.seq === 0
  if (!isSame) return { verdict: 'epoch', cursor: position }
  if (position.seq <= cursor.seq) return { verdict: 'again', cursor }
  return { verdict: position.seq === cursor.seq + 1 ? 'next' : 'gap', cursor: position }
}

/** Whether a member that is at `cursor` has everything up to `end`. Another epoch can not be compared. */
export function hasReached(cursor: Cursor | undefined, end: Cursor): boolean {
  return cursor !== undefined && (cursor.epoch !== end.epoch || cursor.seq >= end.seq)
}

/** The further one of two. */
export function further(a: Cursor | undefined, b: Cursor | undefined): Cursor | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a.epoch === b.epoch && a.seq > b.seq ? a : b
}
