import {
  APPEND_BATCH_MAX,
  MESSAGE_OVERHEAD_BYTES,
  type AppendMessage,
  type ClientError,
  type RoomId,
} from '@roomcast/protocol'

/** What the sender of a message is told. */
export type Outcome = { readonly offset: string } | ClientError

export interface Pending extends AppendMessage {
  readonly deadline: number
  readonly done: ((outcome: Outcome) => void) | undefined
}

export interface Batch {
  readonly messages: readonly Pending[]
  readonly producer: { readonly id: string; readonly first: number }
  attempts: number
}

/** What one room has to send. At most one batch is under way, so that the room's order is the order of arrival. */
export interface RoomQueue {
  readonly room: RoomId
  waiting: Pending[]
  flight: Batch | undefined
  producerId: string
  /** Number of the next message that was never sent. */
  next: number
  /** Nobody on this gateway is in the room: forget it when there is nothing left to send. */
  isForgotten: boolean
  /** Since when its appends have failed. */
  failingSince: number | undefined
  /** The last request that had a batch of it. */
  request: number
}

export function newQueue(room: RoomId, producerId: string): RoomQueue {
  return {
    room,
    waiting: [],
    flight: undefined,
    producerId,
    next: 1,
    isForgotten: false,
    failingSince: undefined,
    request: 0,
  }
}

/** Forms a room's next batch of at most `left` bytes (one message at least); returns its size. */
export function loadBatch(queue: RoomQueue, left: number): number {
  let size = 0
  let count = 0
  for (const { payload } of queue.waiting) {
    if (count === APPEND_BATCH_MAX || (count > 0 && size + payload.length > left)) break
    size += payload.length + MESSAGE_OVERHEAD_BYTES
    count++
  }
  const batch = queue.waiting.splice(0, count)
  queue.flight = {
    messages: batch,
    producer: { id: queue.producerId, first: queue.next },
    attempts: 0,
  }
  queue.next += count
  return size
}
