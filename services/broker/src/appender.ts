import { setTimeout as delay } from 'node:timers/promises'
import {
  ClientError,
  MESSAGE_OVERHEAD_BYTES,
  type AppendBatch,
  type AppendResult,
} from '@roomcast/protocol'
import type { RoomLog } from '@roomcast/roomlog'
import { traceAppend, type Tracer } from '@roomcast/runtime'
import type { Facts } from './facts.ts'

export type Appended = Extract<AppendResult, { status: 'appended' }>

/** Waits before a failed append is tried again, in milliseconds: a reconnect takes less than all of them. */
const RETRY_WAITS_MS = [50, 150, 400] as const
/** No try begins later than this after the first, in milliseconds: a caller should hear soon that the log is away. */
const RETRY_WITHIN_MS = 1_000

/** Appends to the log, measured. */
export interface Appender {
  append(batches: readonly AppendBatch[]): Promise<readonly AppendResult[]>
  /**
   * Appends batches without a producer whose messages all have keys, so that trying again cannot double them. The results are in the
   * order of the batches. Throws `busy` when more bytes wait for the log than may, before anything is appended; `unavailable` when the log
   * stays away: batches may then be appended, or some of them.
   */
  appendKeyed(batches: readonly AppendBatch[]): Promise<readonly Appended[]>
}

const APPEND_SPAN = { name: 'append', kind: 'server' } as const
/** What Redis does of it: one script a room. */
const LOG_SPAN = { name: 'room log append', kind: 'client' } as const

export function createAppender({
  roomLog,
  publishMaxBytes,
  facts,
  tracer,
}: {
  readonly roomLog: RoomLog
  /** Bytes of keyed messages that may be under way. One request alone may be larger. */
  readonly publishMaxBytes: number
  readonly facts: Facts
  readonly tracer?: Tracer | undefined
}): Appender {
  const appendNow = async (batches: readonly AppendBatch[]): Promise<readonly AppendResult[]> => {
    const started = performance.now()
    const results = await roomLog.append(batches)
    facts.appendAnswered(results, performance.now() - started)
    return results
  }
  const append =
    tracer === undefined
      ? appendNow
      : (batches: readonly AppendBatch[]) =>
          traceAppend(tracer, APPEND_SPAN, batches, (traced) =>
            traceAppend(tracer, LOG_SPAN, traced, appendNow),
          )
  let underWay = 0

  const retry = async (batches: readonly AppendBatch[]): Promise<readonly Appended[]> => {
    const done = new Map<AppendBatch, Appended>()
    const started = performance.now()
    let reason = ''
    for (const wait of [0, ...RETRY_WAITS_MS]) {
      if (wait > 0) await delay(wait)
      if (performance.now() - started > RETRY_WITHIN_MS) break
      const left = batches.filter((batch) => !done.has(batch))
      const results = await append(left)
      for (const [i, batch] of left.entries()) {
        const result = results[i]
        if (result?.status === 'appended') done.set(batch, result)
        else if (result?.status === 'failed') reason = result.message
        else throw new Error('a batch without a producer was answered as if it had one')
      }
      const all = batches.flatMap((batch) => done.get(batch) ?? [])
      if (all.length === batches.length) return all
    }
    facts.publishFailed(reason)
    throw new ClientError(
      'unavailable',
      'the room log is away; whether it was taken is unknown: send it again with the same id',
    )
  }

  return {
    append,
    async appendKeyed(batches) {
      const size = sizeOf(batches)
      if (underWay > 0 && underWay + size > publishMaxBytes)
        throw new ClientError('busy', 'too many messages wait for the room log')
      underWay += size
      try {
        return await retry(batches)
      } finally {
        underWay -= size
      }
    },
  }
}

function sizeOf(batches: readonly AppendBatch[]): number {
  let size = 0
  for (const { messages } of batches)
    for (const { payload } of messages) size += payload.length + MESSAGE_OVERHEAD_BYTES
  return size
}
