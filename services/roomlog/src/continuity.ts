import type { Position } from '@roomcast/protocol'
import { EMPTY_HEAD, type Head, type LogBatch } from './room-log.ts'

/** What to do with a batch that arrives at a cursor. */
export type Step =
  /** Deliver its entries but the first `skip`. */
  | { readonly kind: 'deliver'; readonly skip: number }
  /** All of it was delivered before. */
  | { readonly kind: 'ignore' }
  /** Something before it is missing, or the epoch changed: read the log first. */
  | { readonly kind: 'repair' }

const IGNORE: Step = { kind: 'ignore' }
const REPAIR: Step = { kind: 'repair' }

/** The position before anything was ever written. */
export const BEGINNING: Position = { epoch: EMPTY_HEAD.epoch, seq: 0 }

/** Decides on a batch by the cursor's place alone: the next number is delivered, lower ones are dropped, a gap is repaired. */
export function step(
  cursor: Position,
  batch: Pick<LogBatch, 'epoch' | 'first' | 'payloads'>,
): Step {
  const isFirstEver = cursor.epoch === BEGINNING.epoch && batch.first === 1
  if (batch.epoch !== cursor.epoch && !isFirstEver) return REPAIR
  if (batch.first > cursor.seq + 1) return REPAIR
  const skip = cursor.seq + 1 - batch.first
  return skip >= batch.payloads.length ? IGNORE : { kind: 'deliver', skip }
}

/** Where a position from an earlier time is in a log. */
export type Place =
  /** It is in the log: everything after `seq` follows it. */
  | { readonly kind: 'known'; readonly seq: number }
  /** The log lost its tail before this position: `seq` is what was left of the position's epoch. */
  | { readonly kind: 'cut'; readonly seq: number }
  /** It is of another log, or of an epoch that is forgotten. */
  | { readonly kind: 'foreign' }

export function locate(head: Head, { epoch, seq }: Position): Place {
  if (epoch === BEGINNING.epoch) return seq === 0 ? { kind: 'known', seq: 0 } : { kind: 'foreign' }
  const end =
    epoch === head.epoch ? head.seq : head.ends.find((ended) => ended.epoch === epoch)?.end
  if (end === undefined) return { kind: 'foreign' }
  return seq <= end ? { kind: 'known', seq } : { kind: 'cut', seq: end }
}

/** The epoch in which a number of this log was given: together they are the message's offset. */
export function epochOf(head: Head, seq: number): string {
  return head.ends.find(({ end }) => seq <= end)?.epoch ?? head.epoch
}

/** Whether everything after `seq` that was not deleted is still in the log. */
export function isCompleteAfter(head: Head, seq: number): boolean {
  return seq + 1 >= head.first
}
