import { randomBytes } from 'node:crypto'
import type { AppendBatch, AppendResult, RoomId } from '@roomcast/protocol'
import {
  DEFAULT_RETENTION,
  EMPTY_HEAD,
  type Entry,
  type Follower,
  type Following,
  type Head,
  type Page,
  type ReadRange,
  type Retention,
  type RoomLog,
} from './room-log.ts'
import { createMemorySessions } from './memory-sessions.ts'
import { DEFAULT_SESSION_TTL_MS } from './sessions.ts'

interface KnownProducer {
  readonly first: number
  readonly last: number
  readonly result: AppendResult
  readonly at: number
}

interface Room {
  readonly epoch: string
  seq: number
  /** Consecutive numbers, oldest first. */
  entries: Entry[]
  readonly producers: Map<string, KnownProducer>
  /** Message keys of the current half window, of the one before it and of the one before that. */
  keys: [Map<string, number>, Map<string, number>, Map<string, number>]
  keysSince: number
  appendedAt: number
  expiresAt: number
}

/** How often expired rooms are looked for, in milliseconds. */
const SWEEP_INTERVAL_MS = 60_000
/** Trimming moves every entry that is kept, so it waits until this many are over. */
const TRIM_SLACK = 100

/**
 * The log of `npm start`: in the memory of one process, gone with it. It is also the reference for what every log does; the contract
 * suite runs on it and on Redis.
 */
export function createMemoryLog(
  options: { retention?: Partial<Retention>; sessionTtlMs?: number; now?: () => number } = {},
): RoomLog {
  const retention = { ...DEFAULT_RETENTION, ...options.retention }
  const now = options.now ?? Date.now
  const rooms = new Map<RoomId, Room>()
  const followers = new Map<RoomId, Set<Follower>>()

  /** The room's log, unless it expired. */
  const find = (room: RoomId): Room | undefined => {
    const log = rooms.get(room)
    if (log === undefined) return undefined
    if (log.expiresAt > now()) return log
    rooms.delete(room)
    return undefined
  }
  const keepAlive = (log: Room): void => {
    log.expiresAt = Math.max(log.expiresAt, now() + 2 * retention.historyTtlMs)
  }

  const appendBatch = ({ room, producer, messages }: AppendBatch): AppendResult => {
    const at = now()
    let log = find(room)
    const known = producer === undefined ? undefined : log?.producers.get(producer.id)
    if (known !== undefined && producer !== undefined && at - known.at < retention.producerTtlMs) {
      const last = producer.first + messages.length - 1
      if (known.first === producer.first && known.last === last) return known.result
      if (producer.first !== known.last + 1) return { status: 'out_of_order', last: known.last }
    }
    if (log === undefined) {
      log = newRoom(at)
      rooms.set(room, log)
    }
    rotateKeys(log, at, retention.keyWindowMs / 2)
    const first = log.seq + 1
    const payloads: string[] = []
    let traces: [number, string][] | undefined
    const seqs = messages.map(({ payload, key, trace }) => {
      const old = key === undefined ? undefined : findKey(log, key)
      if (old !== undefined) return old
      log.seq += 1
      log.entries.push({ seq: log.seq, payload })
      payloads.push(payload)
      if (key !== undefined) log.keys[0].set(key, log.seq)
      if (trace !== undefined) (traces ??= []).push([log.seq, trace])
      return log.seq
    })
    if (log.entries.length > retention.historySize + TRIM_SLACK) {
      log.entries = log.entries.slice(-retention.historySize)
    }
    log.appendedAt = at
    keepAlive(log)
    const result: AppendResult = { status: 'appended', epoch: log.epoch, seqs }
    if (producer !== undefined) {
      if (known === undefined) forgetIdleProducers(log, at - retention.producerTtlMs)
      const last = producer.first + messages.length - 1
      log.producers.set(producer.id, { first: producer.first, last, result, at })
    }
    if (payloads.length > 0) {
      const batch = { epoch: log.epoch, first, at, payloads, traces }
      for (const follower of followers.get(room) ?? []) {
        // Not within the append: what a follower does wrong must not look like a failed append.
        queueMicrotask(() => followers.get(room)?.has(follower) === true && follower.onBatch(batch))
      }
    }
    return result
  }

  const sweep = setInterval(() => {
    for (const room of rooms.keys()) find(room)
  }, SWEEP_INTERVAL_MS)
  sweep.unref()

  return {
    async append(batches) {
      return batches.map(appendBatch)
    },

    async read(room, range): Promise<Page> {
      const log = find(room)
      if (log === undefined) return { head: EMPTY_HEAD, entries: [] }
      if (now() - log.appendedAt >= retention.historyTtlMs) log.entries = []
      return { head: headOf(log), entries: select(log.entries, range) }
    },

    async heads(asked) {
      return asked.map((room) => {
        const log = find(room)
        if (log === undefined) return EMPTY_HEAD
        keepAlive(log)
        return headOf(log)
      })
    },

    async follow(room, follower): Promise<Following> {
      const set = followers.get(room) ?? new Set()
      followers.set(room, set.add(follower))
      return {
        renew: async () => undefined,
        stop: () => {
          if (set.delete(follower) && set.size === 0) followers.delete(room)
        },
      }
    },

    async clear(room) {
      const log = find(room)
      if (log === undefined) return false
      log.entries = []
      return true
    },

    sessions: createMemorySessions(options.sessionTtlMs ?? DEFAULT_SESSION_TTL_MS, now),

    isAvailable: () => true,

    async close() {
      clearInterval(sweep)
      followers.clear()
    },
  }
}

function newRoom(at: number): Room {
  return {
    epoch: newEpoch(),
    seq: 0,
    entries: [],
    producers: new Map(),
    keys: [new Map(), new Map(), new Map()],
    keysSince: at,
    appendedAt: at,
    expiresAt: 0,
  }
}

/** A name that no other life of a log has: 48 random bits in base 36. */
export function newEpoch(): string {
  return randomBytes(6).readUIntBE(0, 6).toString(36)
}

function headOf(log: Room): Head {
  return { epoch: log.epoch, seq: log.seq, first: log.entries[0]?.seq ?? log.seq + 1, ends: [] }
}

function select(entries: readonly Entry[], { after, before, limit }: ReadRange): readonly Entry[] {
  const oldest = entries[0]?.seq ?? 1
  const indexOf = (seq: number): number => Math.max(0, Math.min(entries.length, seq - oldest))
  if (after !== undefined) {
    const start = indexOf(after + 1)
    return entries.slice(start, start + limit)
  }
  const end = before === undefined ? entries.length : indexOf(before)
  return entries.slice(Math.max(0, end - limit), end)
}

/** Three maps that move on every half window know a key for one whole window at least, without a timer per key. */
function rotateKeys(log: Room, now: number, halfWindowMs: number): void {
  const passed = Math.floor((now - log.keysSince) / halfWindowMs)
  for (let i = 0; i < Math.min(passed, 3); i++) log.keys = [new Map(), log.keys[0], log.keys[1]]
  log.keysSince += passed * halfWindowMs
}

function findKey({ keys }: Room, key: string): number | undefined {
  return keys[0].get(key) ?? keys[1].get(key) ?? keys[2].get(key)
}

function forgetIdleProducers(log: Room, before: number): void {
  for (const [id, { at }] of log.producers) if (at <= before) log.producers.delete(id)
}
