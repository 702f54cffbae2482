import {
  APPEND_REQUEST_MAX_BYTES,
  APPEND_ROOMS_MAX,
  ClientError,
  MESSAGE_OVERHEAD_BYTES,
  offsetOf,
  type AppendBatch,
  type AppendMessage,
  type AppendResult,
  type RoomId,
} from '@roomcast/protocol'
import type { Log } from '@roomcast/runtime'
import { loadBatch, newQueue, type Outcome, type Pending, type RoomQueue } from './room-queue.ts'

/** Append requests under way at a time. More would split what arrives meanwhile into smaller batches. */
export const FLIGHTS_MAX = 4
/** How long a message may wait for its answer, in milliseconds. Then its sender is told that the outcome is unknown. */
const MESSAGE_DEADLINE_MS = 5_000
/** After failing for so long, a room's new messages are refused at once instead of waiting, in milliseconds. */
const REFUSE_AFTER_MS = 1_000
/** First and longest wait before a failed batch is sent again, in milliseconds. */
const RETRY_MS = 25
const RETRY_MAX_MS = 500
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
  /** How long the messages of other rooms wait after a request, to go together, in milliseconds. 0: not at all. */
  readonly restMs: number
  /** Whether this gateway reaches the log itself: a sign, besides failing appends, that it is away. */
  readonly isLogAvailable: () => boolean
  readonly append: (batches: readonly AppendBatch[]) => Promise<readonly AppendResult[]>
  readonly now: () => number
  readonly log: Log
}

/**
 * Gathers what arrives while requests are under way ("natural batching": a message that arrives on an idle outbox goes out in the
 * same turn of the event loop, the busier it is the fuller the batches) and sends each room's messages in order. Many rooms with a
 * message now and then would be a request each: after one, the others wait for `restMs` and go together. A room that was in it does not
 * wait, since its members saw their answer. A batch whose outcome is unknown is sent again exactly as it was, with the same producer and numbers, until it has an answer or its deadline passed.
 */
export function createOutbox(options: OutboxOptions): Outbox {
  const { instance, maxMessages, maxBytes, restMs, append, isLogAvailable, now, log } = options
  const queues = new Map<RoomId, RoomQueue>()
  /** Rooms that have something to send and nothing under way, in order of arrival. */
  const ready = new Set<RoomQueue>()
  let messages = 0
  let bytes = 0
  let flights = 0
  let producers = 0
  let requests = 0
  let restUntil = -Infinity
  /** What will call `pump`: the end of this turn, or of a rest. */
  let scheduled: { readonly timer: NodeJS.Timeout | undefined } | undefined
  let awaySince: number | undefined
  let isClosing = false
  let onEmpty: (() => void) | undefined

  const newProducerId = (): string => `${instance}.${++producers}`

  const settle = (pending: Pending, outcome: Outcome): void => {
    messages--
    bytes -= pending.payload.length + MESSAGE_OVERHEAD_BYTES
    pending.done?.(outcome)
  }

  /** After a batch is over: the room's next one, or the end of its queue. */
  const release = (queue: RoomQueue): void => {
    queue.flight = undefined
    if (queue.waiting.length > 0) {
      ready.add(queue)
      schedule(queue)
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
    // During a rest its end sends what is ready.
    if (scheduled === undefined) pump()
    checkEmpty()
  }

  /** Sends what is ready, as far as flights are free. */
  const pump = (): void => {
    clearTimeout(scheduled?.timer)
    scheduled = undefined
    while (ready.size > 0 && flights < FLIGHTS_MAX) {
      const sent: RoomQueue[] = []
      requests++
      restUntil = now() + restMs
      let left = APPEND_REQUEST_MAX_BYTES / 4 // UTF-8 may take three bytes for one unit of a string's length
      for (const queue of ready) {
        if (sent.length === APPEND_ROOMS_MAX || left <= 0) break
        ready.delete(queue)
        queue.request = requests
        sent.push(queue)
        left -= loadBatch(queue, left)
      }
      void send(sent, false)
    }
  }

  /** What arrives in one turn of the event loop leaves together, and during a rest at its end. */
  const schedule = (queue: RoomQueue): void => {
    const wait = queue.request === requests || isClosing ? 0 : restUntil - now()
    if (scheduled !== undefined) {
      if (scheduled.timer === undefined || wait > 0) return
      clearTimeout(scheduled.timer)
    }
    if (wait > 0) {
      scheduled = { timer: setTimeout(pump, wait) }
    } else {
      scheduled = { timer: undefined }
      setImmediate(pump)
    }
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
      const size = message.payload.length + MESSAGE_OVERHEAD_BYTES
      if (messages >= maxMessages || bytes + size > maxBytes) {
        throw new ClientError('busy', 'too many messages wait for the room log')
      }
      messages++
      bytes += size
      if (queue === undefined) {
        queue = newQueue(room, newProducerId())
        queues.set(room, queue)
      }
      queue.isForgotten = false
      queue.waiting.push({ ...message, done, deadline: now() + MESSAGE_DEADLINE_MS })
      if (queue.flight === undefined && !ready.has(queue)) {
        ready.add(queue)
        schedule(queue)
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
      pump()
      await new Promise<void>((resolve) => {
        onEmpty = resolve
      })
    },
  }
}
