import type { RoomId } from '@roomcast/protocol'
import { createRedisLog, RoomFeed, type RoomLog } from '@roomcast/roomlog'
import { createLog } from '@roomcast/runtime'
import { createOutbox } from '../../services/gateway/src/outbox.ts'
import { until } from './processes.ts'

/** How long a sender may wait for an acknowledgement while something is broken on purpose. */
const PATIENCE_MS = 20_000

/** A log in Redis that is available. */
export async function openLog(url: string, waitReplicas = 0): Promise<RoomLog> {
  const log = createRedisLog({ url, waitReplicas, keyPrefix: 'test' })
  await until('Redis to be available', () => log.isAvailable())
  return log
}

/** A feed and what it delivered: offsets and payloads in the order of delivery. */
export async function openFeed(log: RoomLog, room: RoomId) {
  const got: { readonly offset: string; readonly payload: string }[] = []
  let lost = 0
  const feed = await RoomFeed.open(log, room, {
    onRun: ({ epoch, entries }) => {
      for (const { seq, payload } of entries) got.push({ offset: `${epoch}:${seq}`, payload })
    },
    onLost: () => lost++,
  })
  return { feed, got, payloads: () => got.map(({ payload }) => payload), lost: () => lost }
}

const payloadOf = (text: string): string => JSON.stringify({ event: 'broadcast_say', text })

let talkers = 0
/** A gateway's outbox on this log, and a sender that says one message after another until each is acknowledged. */
export function startTalking(log: RoomLog, room: RoomId) {
  const outbox = createOutbox({
    instance: `gateway ${++talkers}`,
    maxMessages: 1_000,
    maxBytes: 1_000_000,
    restMs: 0,
    append: (batches) => log.append(batches),
    isLogAvailable: () => log.isAvailable(),
    now: () => performance.now(),
    log: createLog('test', 'silent'),
  })
  let isStopped = false
  let acknowledged = 0
  const attempt = (text: string): Promise<boolean> =>
    new Promise((resolve) => {
      try {
        outbox.add(room, { payload: payloadOf(text), key: `key of ${text}` }, (outcome) =>
          resolve('offset' in outcome),
        )
      } catch {
        // The log is away, and the outbox says so at once.
        resolve(false)
      }
    })
  const talking = (async () => {
    while (!isStopped) {
      await until('an acknowledgement', () => attempt(`${acknowledged}`), PATIENCE_MS)
      acknowledged++
    }
  })()
  // Whoever waits for it is told.
  talking.catch(() => undefined)
  return {
    acknowledged: () => acknowledged,
    more: async (n: number) => {
      const from = acknowledged
      await until(`${n} more messages`, () => acknowledged >= from + n, PATIENCE_MS)
    },
    async stop(): Promise<string[]> {
      isStopped = true
      await talking
      return Array.from({ length: acknowledged }, (_, i) => payloadOf(`${i}`))
    },
  }
}

/** The payloads of all that is in a room's log. */
export async function logged(log: RoomLog, room: RoomId): Promise<string[]> {
  const payloads: string[] = []
  for (let after = 0; ;) {
    const { entries } = await log.read(room, { after, limit: 500 })
    payloads.push(...entries.map(({ payload }) => payload))
    const last = entries.at(-1)
    if (last === undefined) return payloads
    after = last.seq
  }
}
