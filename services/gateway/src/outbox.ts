import {
  APPEND_BATCH_MAX,
  APPEND_REQUEST_MAX_BYTES,
  APPEND_ROOMS_MAX,
  ClientError,
  offsetOf,
  type AppendBatch,
  type AppendMessage,
  type AppendResult,
  type RoomId,
} from '@roomcast/protocol'
import type { Log } from '@roomcast/runtime'

/** Append requests under way at a time. More would split what arrives meanwhile into smaller batches. */
export const FLIGHTS_MAX = 4
/** How long a message may wait for its answer, in milliseconds. Then its sender is told that the outcome is unknown. */
const MESSAGE_DEADLINE_MS = 5_000
/** After failing for so long, a room's new messages are refused at once instead of waiting, in milliseconds. */
const REFUSE_AFTER_MS = 1_000
/** First and longest wait before a failed batch is sent again, in milliseconds. */
const RETRY_MS = 25
const RETRY_MAX_MS = 500
/** What a header line and a key cost beside the payload, roughly, in bytes. */
const OVERHEAD_BYTES = 300

/** What the sender of a message is told. */
export type Outcome = { readonly offset: string } | ClientError

interface Pending extends AppendMessage {
  readonly deadline: number
  readonly done: ((outcome: Outcome) => void) | undefined
}

interface Batch {
  readonly messages: readonly Pending[]
  readonly producer: { readonly id: string; readonly first: number }
  attempts: number
}

/** What one room has to send. At most one batch is under way, so that the room's order is the order of arrival. */
interface RoomQueue {
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
}

export interface Outbox {
  /**
   * Takes a message; `done` is called once, when the log has it or when that will not be known. Throws `ClientError` `busy` or
   * `unavailable` when it takes no more.
   */
  add(room: RoomId, message: AppendMessage, done?: (outcome: Outcome) => void): void
  /**
   * The room has no members here any more. Until then its producer is kept: the log looks through all producers of a room
   * whenever a new one comes.
   */
  forget(room: RoomId): void
  /** Messages that wait or are under way. */
  size(): number
  /** Sends what there is and resolves when all of it has its outcome. Takes nothing more. */
  flush(): Promise<void>
}

interface OutboxOptions {
  /** Begins producer ids: new with each process. */
  readonly instance: string
  readonly maxMessages: number
  readonly maxBytes: number
  /** Whether this gateway reaches the log itself: a sign, besides failing appends, that it is away. */
  readonly isLogAvailable: () => boolean
  readonly append: (batches: readonly AppendBatch[]) => Promise<readonly AppendResult[]>
  readonly now: () => number
  readonly log: Log
}

/**
 * Gathers what arrives while requests are under way ("natural batching": a message that arrives on an idle outbox goes out in the
 * same turn of the event loop, the busier it is the fuller the batches) and sends each room's messages in order. A batch whose
 * outcome is unknown is sent again exactly as it was, with the same producer and numbers, until it has an answer or its deadline passed.
 */
export function createOutbox(options: OutboxOptions): Outbox {
  const { instance, maxMessages, maxBytes, append, isLogAvailable, now, log } = options
  const queues = new Map<RoomId, RoomQueue>()
  /** Rooms that have something to send and nothing under way, in order of arrival. */
  const ready = new Set<RoomQueue>()
  let messages = 0
  let bytes = 0
  let flights = 0
  let producers = 0
  let isPumpScheduled = false
  let awaySince: number | undefined
  let isClosing = false
  let onEmpty: (() => void) | undefined

  const newProducerId = (): string => `${instance}.${++producers}`

  const settle = (pending: Pending, outcome: Outcome): void => {
    messages--
    bytes -= pending.payload.length + OVERHEAD_BYTES
    pending.done?.(outcome)
  }

  /** After a batch is over: the room's next one, or the end of its queue. */
  const release = (queue: RoomQueue): void => {
    queue.flight = undefined
    if (queue.waiting.length > 0) {
      ready.add(queue)
      schedule()
    } else if (queue.isForgotten) {
      queues.delete(queue.room)
    }
  }

  const giveUp = (queue: RoomQueue): void => {
    const abandoned = [...(queue.flight?.messages ?? []), ...queue.waiting]
    queue.waiting = []
    // What was sent may still arrive: numbers of this producer must not be given again.
    queue.producerId = newProducerId()
    queue.next = 1
    for (const pending of abandoned) {
      settle(
        pending,
        new ClientError(
          'unavailable',
          'the room log did not answer; send it again with the same id',
        ),
      )
    }
    release(queue)
  }

  const retryLater = (failed: readonly RoomQueue[]): void => {
    const attempt = Math.max(...failed.map(({ flight }) => flight?.attempts ?? 0))
    const wait = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(attempt, 10))
    setTimeout(() => {
      const again = failed.filter((queue) => {
        const first = queue.flight?.messages[0]
        if (first !== undefined && first.deadline > now()) return true
        giveUp(queue)
        return false
      })
      if (again.length > 0) void send(again, true)
      checkEmpty()
    }, wait)
  }

  const take = (queue: RoomQueue, result: AppendResult): 'done' | 'retry' => {
    const batch = queue.flight
    if (batch === undefined) return 'done'
    switch (result.status) {
      case 'appended':
        queue.failingSince = undefined
        for (const [i, pending] of batch.messages.entries()) {
          settle(pending, { offset: offsetOf(result, i) })
        }
        release(queue)
        return 'done'
      case 'out_of_order':
        // The log knows less of this producer than was acknowledged to it (a failover took its tail): number anew.
        log.warn(
          { room: queue.room, last: result.last, first: batch.producer.first },
          'producer was fenced',
        )
        queue.producerId = newProducerId()
        queue.next = batch.messages.length + 1
        queue.flight = { ...batch, producer: { id: queue.producerId, first: 1 } }
        return 'retry'
      case 'failed':
        return 'retry'
    }
  }

  /** A request of rooms that fail takes no flight: those that do not fail must not wait for it. */
  const send = async (sent: readonly RoomQueue[], isRetry: boolean): Promise<void> => {
    if (!isRetry) flights++
    let results: readonly AppendResult[]
    try {
      results = await append(
        sent.map(({ room, flight }) => ({
          room,
          producer: flight?.producer,
          messages: flight?.messages ?? [],
        })),
      )
    } catch (error) {
      if (!isRetry) log.warn({ err: error }, 'append failed; trying again')
      results = sent.map(() => ({ status: 'failed', message: 'no answer' }))
    }
    if (!isRetry) flights--
    const again = sent.filter((queue, i) => {
      const result = results[i]
      return result === undefined || take(queue, result) === 'retry'
    })
    if (again.length > 0) {
      for (const queue of again) {
        queue.failingSince ??= now()
        if (queue.flight !== undefined) queue.flight.attempts++
      }
      retryLater(again)
    }
    pump()
    checkEmpty()
  }

  /** Sends what is ready, as far as flights are free. */
  const pump = (): void => {
    isPumpScheduled = false
    while (ready.size > 0 && flights < FLIGHTS_MAX) {
      const sent: RoomQueue[] = []
      let left = APPEND_REQUEST_MAX_BYTES / 4 // UTF-8 may take three bytes for one unit of a string's length
      for (const queue of ready) {
        if (sent.length === APPEND_ROOMS_MAX || left <= 0) break
        ready.delete(queue)
        sent.push(queue)
        left -= load(queue, left)
      }
      void send(sent, false)
    }
  }

  /** Forms a room's next batch of at most `left` bytes (one message at least); returns its size. */
  const load = (queue: RoomQueue, left: number): number => {
    let size = 0
    let count = 0
    for (const { payload } of queue.waiting) {
      if (count === APPEND_BATCH_MAX || (count > 0 && size + payload.length > left)) break
      size += payload.length + OVERHEAD_BYTES
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

  /** What arrives in one turn of the event loop leaves together. */
  const schedule = (): void => {
    if (isPumpScheduled) return
    isPumpScheduled = true
    setImmediate(pump)
  }

  const checkEmpty = (): void => {
    if (messages === 0) onEmpty?.()
  }

  /** Whether a message would wait in vain: its room has failed for a while, or the log has been away for a while. */
  const isHopeless = (queue: RoomQueue | undefined): boolean => {
    awaySince = isLogAvailable() ? undefined : (awaySince ?? now())
    const since = queue?.failingSince ?? awaySince
    return since !== undefined && now() - since >= REFUSE_AFTER_MS
  }

  return {
    add(room, message, done) {
      if (isClosing) throw new ClientError('unavailable', 'this gateway is ending')
      let queue = queues.get(room)
      // One batch of a room goes on trying; the rest is told at once.
      const isTrying = queue?.flight !== undefined || (queue === undefined && messages > 0)
      if (isTrying && isHopeless(queue)) {
        throw new ClientError('unavailable', 'the room log can not be reached right now')
      }
      const size = message.payload.length + OVERHEAD_BYTES
      if (messages >= maxMessages || bytes + size > maxBytes) {
        throw new ClientError('busy', 'too many messages wait for the room log')
      }
      messages++
      bytes += size
      if (queue === undefined) {
        queue = {
          room,
          waiting: [],
          flight: undefined,
          producerId: newProducerId(),
          next: 1,
          isForgotten: false,
          failingSince: undefined,
        }
        queues.set(room, queue)
      }
      queue.isForgotten = false
      queue.waiting.push({ ...message, done, deadline: now() + MESSAGE_DEADLINE_MS })
      if (queue.flight === undefined && !ready.has(queue)) {
        ready.add(queue)
        schedule()
      }
    },
    forget(room) {
      const queue = queues.get(room)
      if (queue === undefined) return
      if (queue.flight === undefined && queue.waiting.length === 0) queues.delete(room)
      else queue.isForgotten = true
    },
    size: () => messages,
    async flush() {
      isClosing = true
      if (messages === 0) return
      await new Promise<void>((resolve) => {
        onEmpty = resolve
      })
    },
  }
}
