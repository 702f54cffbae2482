import type { AppendBatch, AppendResult, RoomId } from '@roomcast/protocol'
import { Cluster } from 'ioredis'
import { newEpoch } from '../memory.ts'
import {
  DEFAULT_RETENTION,
  EMPTY_HEAD,
  EPOCHS_KEPT,
  type Follower,
  type Following,
  type Head,
  type LogBatch,
  type Page,
  type ReadRange,
  type Retention,
  type RoomLog,
  type Traces,
} from '../room-log.ts'
import { epochOf } from '../continuity.ts'
import { told } from '../unavailable.ts'
import { watchConnections, type RedisLogEvent } from './availability.ts'
import { timed, type OnRedisCommand } from './commands.ts'
import { DEFAULT_REVOCATION_TTL_MS } from '../revocations.ts'
import { DEFAULT_SESSION_TTL_MS } from '../sessions.ts'
import { connectRedis, type RedisClient } from './connect.ts'
import { gatherWrites } from './gather.ts'
import { roomKeys, type RoomKeys } from './keys.ts'
import { createRedisModeration } from './redis-moderation.ts'
import { createRedisRevocations } from './redis-revocations.ts'
import { createRedisSessions } from './redis-sessions.ts'
import {
  replicatedAct,
  replicatedAppend,
  type ActReply,
  type AppendArgs,
  type AppendReply,
} from './replicated-append.ts'
import { readScript } from './script.ts'
import { createSubscriptions, type ChannelListener } from './subscriptions.ts'

/** Rooms whose heads are asked for at a time: bounds what one request puts into Redis's queue. */
const HEADS_CHUNK = 200

/** Rooms that one call of the append script is for, and messages after which it takes no further room: Redis does nothing else meanwhile. */
const CALL_ROOMS_MAX = 32
const CALL_MESSAGES_MAX = 128

interface RedisLogOptions {
  readonly url: string
  /** Begins every key, so that several installations can share one Redis. */
  readonly keyPrefix?: string
  /** Shown by Redis's CLIENT LIST. */
  readonly connectionName?: string
  readonly retention?: Partial<Retention>
  /** How long a session is kept after it was last saved, in milliseconds. */
  readonly sessionTtlMs?: number
  /** How long a revocation is kept, in milliseconds: longer than any token lives. */
  readonly revocationTtlMs?: number
  /**
   * Replicas that must have an append before it counts, 0 by default. Fewer after a second: the append has failed, and is answered from
   * the log's memory of producers and keys when it is sent again.
   */
  readonly waitReplicas?: number
  /** Told of outages and of their ends, once each, and of errors between them. */
  readonly onEvent?: (event: RedisLogEvent) => void
  /** Told of each call of Redis, to measure it. */
  readonly onCommand?: OnRedisCommand
}

/** append.lua as a function, for scripts that append. */
const APPEND_FUNCTION = `local function append(KEYS, ARGV)\n${readScript('append')}\nend\n`

/** A `RoomLog` in Redis 7, Valkey 8 or later: standalone, behind Sentinel, or a Cluster. Starts also while Redis is away. */
export function createRedisLog(options: RedisLogOptions): RoomLog {
  const {
    url,
    keyPrefix = 'roomcast',
    connectionName = 'roomcast',
    waitReplicas = 0,
    onEvent = () => undefined,
    onCommand = () => undefined,
  } = options
  const retention = { ...DEFAULT_RETENTION, ...options.retention }
  const scripts = {
    append: {
      lua: `${APPEND_FUNCTION}${readScript('append-rooms')}`,
    },
    moderate: {
      lua: `${APPEND_FUNCTION}${readScript('moderate')}`,
      numberOfKeys: 4,
    },
    read: { lua: readScript('read'), numberOfKeys: 2 },
  }
  const client = connectWith(scripts, url, connectionName)
  const subscriber = connectRedis(url, `${connectionName}-follow`)
  const subscriptions = createSubscriptions(subscriber, (error) =>
    onEvent({ kind: 'error', error }),
  )

  /** WAIT blocks its connection until the replicas have answered: reads must not stand behind that. */
  const waiting =
    waitReplicas === 0 ? undefined : connectWith(scripts, url, `${connectionName}-append`)
  const clients = [client, subscriber, ...(waiting === undefined ? [] : [waiting])]
  const state = watchConnections(clients, onEvent)
  const runAppends =
    waiting === undefined
      ? (calls: readonly AppendArgs[]) => calls.map((args) => client.roomappend(...args))
      : replicatedAppend(waiting, waitReplicas)
  const runAct =
    waiting === undefined
      ? (args: AppendArgs) => client.roommoderate(...args)
      : replicatedAct(waiting, waitReplicas)

  const argsOf = (batches: readonly AppendBatch[]): AppendArgs => {
    const args: (string | number)[] = [2 * batches.length]
    const keys = batches.map(({ room }) => roomKeys(keyPrefix, room))
    for (const { meta, stream } of keys) args.push(meta, stream)
    args.push(newEpoch(), retention.historySize, retention.historyTtlMs)
    args.push(retention.keyWindowMs / 2, retention.producerTtlMs / 2, EPOCHS_KEPT)
    for (const [i, { messageKeys, channel, producers }] of keys.entries()) {
      const { producer, messages = [] } = batches[i] ?? {}
      args.push(messageKeys, channel, producer?.id ?? '', producer?.first ?? 0, producers)
      args.push(formatTraces(messages), messages.length)
      for (const { key, payload } of messages) args.push(key ?? '', payload)
    }
    return args
  }
  /** What append.lua is told before the one message that tells of an act. */
  const settingsOf = (keys: RoomKeys): AppendArgs => [
    keys.messageKeys,
    keys.channel,
    newEpoch(),
    retention.historySize,
    retention.historyTtlMs,
    retention.keyWindowMs / 2,
    retention.producerTtlMs / 2,
    EPOCHS_KEPT,
    // It has no producer, and is not traced.
    '',
    0,
    keys.producers,
    '',
  ]

  const failed = (error: unknown): AppendResult => {
    onEvent({ kind: 'error', error })
    return { status: 'failed', message: error instanceof Error ? error.message : String(error) }
  }

  const resultsOf = async (
    batches: readonly AppendBatch[],
    reply: Promise<AppendReply> | undefined,
  ): Promise<AppendResult[]> => {
    try {
      const replies = await reply
      return batches.map(({ messages }, i) => {
        const outcome = replies?.[i] ?? 'no answer'
        if (typeof outcome === 'string') return failed(new Error(outcome))
        const [isAppended, epochOrLast, seqs = '', ends = ''] = outcome
        return isAppended === 1
          ? appendedResult(epochOrLast, parseSeqs(seqs, messages.length), parseEnds(ends))
          : { status: 'out_of_order', last: epochOrLast }
      })
    } catch (error) {
      const result = failed(error)
      return batches.map(() => result)
    }
  }

  const readPage = async (room: RoomId, range: ReadRange, keepMs: number): Promise<Page> => {
    const keys = roomKeys(keyPrefix, room)
    const kind =
      range.after !== undefined ? 'after' : range.before !== undefined ? 'before' : 'latest'
    const bound = range.after ?? range.before ?? 0
    return told(
      'reading a room',
      client.roomread(keys.meta, keys.stream, kind, bound, range.limit, keepMs).then(parsePage),
    )
  }

  const readHeads = async (rooms: readonly RoomId[]): Promise<Head[]> => {
    const heads: Head[] = []
    for (let i = 0; i < rooms.length; i += HEADS_CHUNK) {
      const pages = await Promise.all(
        rooms
          .slice(i, i + HEADS_CHUNK)
          .map((room) => readPage(room, { limit: 0 }, 2 * retention.historyTtlMs)),
      )
      for (const { head } of pages) heads.push(head)
    }
    return heads
  }

  return {
    async append(batches) {
      const calls = callsOf(batches, client instanceof Cluster)
      // Batches of one room go out in their order on one connection, and Redis keeps it.
      const started = performance.now()
      const replies = runAppends(calls.map(argsOf))
      const results = await Promise.all(calls.map((call, i) => resultsOf(call, replies[i])))
      const all = results.flat()
      onCommand('append', performance.now() - started, !all.some(isFailed))
      return all
    },

    read: (room, range) => timed('read', onCommand, () => readPage(room, range, 0)),

    heads: (rooms) => timed('heads', onCommand, () => readHeads(rooms)),

    async follow(room, follower): Promise<Following> {
      const { channel } = roomKeys(keyPrefix, room)
      const listener = listenerOf(follower, (error) => onEvent({ kind: 'error', error }))
      await timed('subscribe', onCommand, () => subscriptions.add(channel, listener))
      return {
        renew: () => subscriptions.renew(channel),
        stop: () => subscriptions.remove(channel, listener),
      }
    },

    moderation: createRedisModeration(client, {
      keysOf: (room) => roomKeys(keyPrefix, room),
      async act(keys, { key, payload }, act) {
        const reply = await timed('moderate', onCommand, () =>
          runAct([
            keys.meta,
            keys.stream,
            keys.bans,
            keys.removals,
            ...settingsOf(keys),
            key ?? '',
            payload,
            ...act,
          ]),
        )
        if (reply[0] !== 1) return { status: reply[0] === 0 ? 'missing' : 'full' }
        const [, epoch, seqs, ends] = reply
        return appendedResult(epoch, parseSeqs(seqs, 1), parseEnds(ends))
      },
    }),

    revocations: createRedisRevocations(client, subscriptions, {
      keyPrefix,
      ttlMs: options.revocationTtlMs ?? DEFAULT_REVOCATION_TTL_MS,
    }),

    sessions: createRedisSessions(client, {
      keyPrefix,
      ttlMs: options.sessionTtlMs ?? DEFAULT_SESSION_TTL_MS,
      onCommand,
    }),

    isAvailable: state.isAvailable,

    async close() {
      state.stop()
      await subscriptions.close()
      for (const connection of clients) connection.disconnect()
    },
  }
}

interface Script {
  readonly lua: string
  /** Undefined where each call says it by its first argument. */
  readonly numberOfKeys?: number
}

function connectWith(
  scripts: Readonly<Record<string, Script>>,
  url: string,
  name: string,
): RedisClient & Commands {
  const client = connectRedis(url, name) as RedisClient & Commands
  for (const [script, definition] of Object.entries(scripts))
    client.defineCommand(`room${script}`, definition)
  gatherWrites(client)
  return client
}

/** The scripts as methods, the way ioredis's `defineCommand` makes them. */
interface Commands {
  roomappend(...args: AppendArgs): Promise<AppendReply>
  roommoderate(...args: AppendArgs): Promise<ActReply>
  roomread(...args: (string | number)[]): Promise<string[]>
}

const isFailed = ({ status }: AppendResult): boolean => status === 'failed'
/** Divides batches into calls of the script, in their order. On a cluster each room may be of another slot, so each has its own call. */
function callsOf(batches: readonly AppendBatch[], isCluster: boolean): readonly AppendBatch[][] {
  const calls: AppendBatch[][] = []
  let last: AppendBatch[] = []
  let messages = 0
  for (const batch of batches) {
    const isFull = last.length === CALL_ROOMS_MAX || messages >= CALL_MESSAGES_MAX
    if (isCluster || isFull || calls.length === 0) {
      last = []
      messages = 0
      calls.push(last)
    }
    last.push(batch)
    messages += batch.messages.length
  }
  return calls
}

/** Numbers that are not new may be of an earlier epoch, which their offsets then name. */
function appendedResult(
  epoch: string,
  seqs: number[],
  ends: Head['ends'],
): Extract<AppendResult, { status: 'appended' }> {
  const lastEnd = ends.at(-1)?.end ?? 0
  const head = { epoch, seq: 0, first: 0, ends }
  return seqs.some((seq) => seq <= lastEnd)
    ? { status: 'appended', epoch, seqs, epochs: seqs.map((seq) => epochOf(head, seq)) }
    : { status: 'appended', epoch, seqs }
}

function parseSeqs(text: string, count: number): number[] {
  if (text.includes(',')) return text.split(',').map(Number)
  const first = Number(text)
  return Array.from({ length: count }, (_, i) => first + i)
}

function parsePage(reply: readonly string[]): Page {
  const [epoch, seq, ends = '', first, ...rest] = reply
  if (epoch === undefined) return { head: EMPTY_HEAD, entries: [] }
  const entries = Array.from({ length: rest.length / 2 }, (_, i) => ({
    seq: Number(rest[2 * i]),
    payload: rest[2 * i + 1] ?? '',
  }))
  const head = { epoch, seq: Number(seq), first: Number(first), ends: parseEnds(ends) }
  return { head, entries }
}

/** What the append script takes: index, from 1, and trace of each traced message. */
function formatTraces(messages: AppendBatch['messages']): string {
  let text = ''
  for (const [i, { trace }] of messages.entries()) {
    if (trace !== undefined) text += `${i + 1}:${trace},`
  }
  return text
}

function parseTraces(text: string): Traces {
  return text.split(',').map((item) => {
    const [seq, trace = ''] = item.split(':')
    return [Number(seq), trace] as const
  })
}

function parseEnds(text: string): Head['ends'] {
  return text
    .split(',')
    .filter((item) => item !== '')
    .map((item) => {
      const [epoch = '', end] = item.split(':')
      return { epoch, end: Number(end) }
    })
}

function listenerOf(follower: Follower, onError: (error: unknown) => void): ChannelListener {
  return {
    onMessage(message) {
      const batch = parseFrame(message)
      // A frame that can't be read leaves a gap in the numbers, which the follower repairs from the log.
      if (batch === undefined) onError(new Error('a frame of an unknown version on a room channel'))
      else follower.onBatch(batch)
    },
    onResumed: () => follower.onResumed(),
  }
}

/** A published batch: one line of JSON, then a line per payload. Another version of us may have written it. */
function parseFrame(message: Buffer): LogBatch | undefined {
  const [header = '', ...payloads] = message.toString().split('\n')
  const match = /^\{"v":1,"epoch":"(\w+)","first":(\d+),"at":(\d+)(?:,"traces":"([^"]+)")?/.exec(
    header,
  )
  if (match === null) return undefined
  const [, epoch = '', first, at, traces] = match
  return {
    epoch,
    first: Number(first),
    at: Number(at),
    payloads,
    traces: traces === undefined ? undefined : parseTraces(traces),
  }
}
