import {
  ClientError,
  decodeMessage,
  formatOffset,
  type LoggedMessage,
  type Position,
} from '@roomcast/protocol'
import { epochOf, isCompleteAfter, locate } from './continuity.ts'
import type { Head, Page, ReadRange } from './room-log.ts'

/** What was asked of a page: the messages right after a position, right before one, or the latest. */
export interface Asked {
  readonly after?: Position | undefined
  readonly before?: Position | undefined
  readonly limit: number
}

/** A page as clients see it. */
export interface PageView {
  readonly messages: LoggedMessage[]
  /** The end of this page: ask `after` it for what follows. */
  readonly offset: string
  /** False when messages that belong here are no longer in the log. */
  readonly complete: boolean
}

/** What to read for it. */
export function rangeOf({ after, before, limit }: Asked): ReadRange {
  return {
    ...(after === undefined ? {} : { after: after.seq }),
    ...(before === undefined ? {} : { before: before.seq }),
    limit,
  }
}

/** Throws `offset_gone` when the log does not know the position, or lost its tail before it. */
export function assertKnown(head: Head, position: Position): void {
  const place = locate(head, position)
  if (place.kind === 'known') return
  throw new ClientError(
    'offset_gone',
    place.kind === 'cut'
      ? 'the room log lost its end before this offset: read again without it'
      : 'the room log does not know this offset any more: read again without it',
  )
}

/**
 * A page as clients are answered. Messages that cannot be read are left out, and told to `onUnreadable`.
 * Throws `offset_gone` when the log does not know the position that was asked about.
 */
export function viewOf(
  { head, entries }: Page,
  { after, before, limit }: Asked,
  onUnreadable: (seq: number, error: unknown) => void,
): PageView {
  const asked = after ?? before
  if (asked !== undefined) assertKnown(head, asked)
  const messages = entries.flatMap(({ seq, payload }): LoggedMessage[] => {
    try {
      return [decodeMessage(payload, { epoch: epochOf(head, seq), seq })]
    } catch (error) {
      onUnreadable(seq, error)
      return []
    }
  })
  const isFull = entries.length === limit
  const last = entries.at(-1)?.seq ?? 0
  if (after !== undefined) {
    const end = isFull ? last : head.seq
    return {
      messages,
      offset: offsetAt(head, end),
      complete: isCompleteAfter(head, after.seq),
    }
  }
  const end = before === undefined ? head.seq : Math.max(0, before.seq - 1)
  // A page that is not full has all that there is before its end: with the first message of the room, or without what is no longer kept.
  return { messages, offset: offsetAt(head, end), complete: isFull || isCompleteAfter(head, 0) }
}

function offsetAt(head: Head, seq: number): string {
  return formatOffset({ epoch: epochOf(head, seq), seq })
}
