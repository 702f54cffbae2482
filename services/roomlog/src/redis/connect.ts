import { Cluster, Redis, type RedisOptions as AllRedisOptions } from 'ioredis'

type RedisOptions = Omit<AllRedisOptions, 'replyMapping' | 'himportFieldsets'>

/** A connection to one Redis, or to a Redis Cluster. */
export type RedisClient = Redis | Cluster

/** Longest wait between two attempts to connect, in milliseconds: how much later than Redis a service may be back. */
const RECONNECT_MAX_MS = 1_000
/** How long a command may take before its outcome counts as unknown, in milliseconds. */
const COMMAND_TIMEOUT_MS = 2_000
/**
 * How long a connection may be silent after a command, in milliseconds, before it counts as dead: a server that vanished without a word
 * would be waited for until the kernel gives up, which takes a quarter of an hour.
 */
const SOCKET_TIMEOUT_MS = 4_000
/**
 * How often a cluster's slots are asked for, in milliseconds. A subscriber whose slot moved asks at once, but perhaps a node that has not
 * heard of the move: this is how long its rooms then stay without a subscription.
 */
const SLOTS_REFRESH_MS = 2_000
/** How long the answer to a connection attempt may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000
/**
 * How long the other side may take to close a connection that is ended here, in milliseconds, before it is cut. ioredis lets a process live
 * as long also when the connection was gone before.
 */
const DISCONNECT_TIMEOUT_MS = 500

export type RedisTarget =
  | { readonly kind: 'single'; readonly options: RedisOptions }
  | { readonly kind: 'sentinel'; readonly options: RedisOptions }
  | {
      readonly kind: 'cluster'
      readonly nodes: readonly HostPort[]
      readonly options: RedisOptions
    }

interface HostPort {
  readonly host: string
  readonly port: number
}

/**
 * Reads a Redis URL:
 * `redis://[user:password@]host[:port][/db]`, `rediss://…` with TLS,
 * `redis+cluster://[user:password@]host:port,host:port` (any nodes of a cluster), `rediss+cluster://…`,
 * `redis+sentinel://[user:password@]sentinel:port,sentinel:port/name[/db]` (the master's name), `rediss+sentinel://…`.
 * User and password are percent-encoded. Throws an `Error` that does not repeat the URL.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = /^(rediss?)(?:\+(cluster|sentinel))?:\/\/(?:([^@/]*)@)?([^/@]+)(?:\/(.*))?$/.exec(
    url,
  )
  if (match === null) throw new Error('not a Redis URL')
  const [, scheme, kind, credentials, hosts = '', path = ''] = match
  const [user = '', password] = (credentials ?? '').split(':').map(decodeURIComponent)
  const options: RedisOptions = {
    ...(password !== undefined ? { password } : {}),
    ...(user !== '' ? { username: user } : {}),
    ...(scheme === 'rediss' ? { tls: {} } : {}),
  }
  const nodes = hosts
    .split(',')
    .map((host) => parseHost(host, kind === 'sentinel' ? 26_379 : 6_379))
  if (kind === 'cluster') return { kind, nodes, options }
  const parts = path.split('/').filter((part) => part !== '')
  const db = kind === 'sentinel' ? parts[1] : parts[0]
  if (db !== undefined && !/^\d{1,5}$/.test(db))
    throw new Error('the database in a Redis URL is a number')
  const withDb = db === undefined ? options : { ...options, db: Number(db) }
  if (kind === 'sentinel') {
    if (parts[0] === undefined) throw new Error('a sentinel URL ends in the name of the master')
    const name = decodeURIComponent(parts[0])
    return { kind, options: { ...withDb, sentinels: [...nodes], name } }
  }
  const [node] = nodes
  if (nodes.length !== 1 || node === undefined) throw new Error('a redis:// URL names one host')
  return { kind: 'single', options: { ...withDb, ...node } }
}

function parseHost(text: string, defaultPort: number): HostPort {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text)
  if (match?.[1] === undefined) throw new Error('a Redis URL names hosts as host:port')
  return { host: match[1].replace(/^\[|\]$/g, ''), port: Number(match[2] ?? defaultPort) }
}

/**
 * Connects to Redis and keeps trying for as long as the client lives. Commands fail at once while the connection is down, and are
 * never sent a second time by the client: what a lost answer means is for the caller to decide. Subscriptions are made again by their
 * owner, who must know when they are in force.
 */
export function connectRedis(url: string, name: string): RedisClient {
  return connect(url, name, { isPatient: false })
}

/** With `isPatient`, commands wait for the connection instead of failing at once, and ioredis makes subscriptions again. */
export function connect(
  url: string,
  name: string,
  { isPatient }: { readonly isPatient: boolean },
): RedisClient {
  const target = parseRedisUrl(url)
  const retryStrategy = (attempt: number): number =>
    Math.min(RECONNECT_MAX_MS, 25 * 2 ** Math.min(attempt, 10))
  const options: RedisOptions = {
    ...target.options,
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    autoResubscribe: isPatient,
    ...(isPatient
      ? { maxRetriesPerRequest: null }
      : {
          commandTimeout: COMMAND_TIMEOUT_MS,
          socketTimeout: SOCKET_TIMEOUT_MS,
          maxRetriesPerRequest: 0,
          autoResendUnfulfilledCommands: false,
        }),
  }
  if (target.kind === 'cluster') {
    const cluster = new Cluster([...target.nodes], {
      redisOptions: options,
      shardedSubscribers: true,
      enableOfflineQueue: isPatient,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
      // See `refreshSlots`.
      slotsRefreshInterval: 0,
      // A moved slot is learnt from the refusal; one more try finds its new node.
      maxRedirections: 4,
    })
    refreshSlots(cluster)
    return cluster
  }
  return new Redis({
    ...options,
    enableOfflineQueue: isPatient,
    retryStrategy,
    sentinelRetryStrategy: retryStrategy,
  })
}

/**
 * Asks for the slots of a cluster again and again, until it is closed. The timer that ioredis has for it is set once more by an answer that
 * comes after the end, and keeps the process alive for good.
 */
function refreshSlots(cluster: Cluster): void {
  const timer = setInterval(() => {
    if (cluster.status === 'ready') cluster.refreshSlotsCache()
  }, SLOTS_REFRESH_MS)
  timer.unref()
  cluster.on('end', () => clearInterval(timer))
}
