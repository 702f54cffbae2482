import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startProcess, until, type TestProcess } from './processes.ts'

/** These, and what a cluster adds to them (10,000), are below the ports of outgoing connections, which could take one before its server listens. */
const PORTS = { from: 10_000, to: 22_000 } as const
/** What `freePort` gave already: the one who got it may not listen yet. */
const given = new Set<number>()

/** A port that was free a moment ago, another one each time. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch {
    // Taken.
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

export interface TestRedis extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Of the process that runs now. */
  pid(): number
  /** kill -9 */
  kill(): Promise<void>
  /** Stops it where it stands: connections stay open and nothing answers, as when a machine vanishes. */
  pause(): void
  resume(): void
  /** Starts it again on the same port with the data that it kept. */
  restart(): Promise<void>
  /** A connection for looking and for commands such as CLIENT KILL; closed with the server. */
  readonly admin: Redis
}

/** The settings with which the chart runs its own Redis: nothing acknowledged is lost when it is killed. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']

/** Commands wait for a server that starts again. Jest waits for the end of a connection no longer than a second. */
const ADMIN = { maxRetriesPerRequest: null, disconnectTimeout: 100 }

/** A real redis-server of its own on a free port. */
export async function startRedis(extra: readonly string[] = []): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'roomcast-redis-'))
  const port = await freePort()
  const run = async (): Promise<TestProcess> => {
    const server = startProcess('redis-server', [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      ...DURABLE,
      ...extra,
    ])
    await server.printed(/Ready to accept connections/)
    return server
  }
  let server = await run()
  const admin = new Redis(port, '127.0.0.1', ADMIN)
  admin.on('error', () => undefined)
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    admin,
    pid: () => server.child.pid ?? 0,
    async kill() {
      server.signal('SIGKILL')
      await server.ended()
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async restart() {
      server = await run()
    },
    async [Symbol.asyncDispose]() {
      admin.disconnect()
      await server[Symbol.asyncDispose]()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** A real replica of a Redis, which has everything that its master has by now. */
export async function startReplica(master: TestRedis): Promise<TestRedis> {
  // The first copy would be put off by seconds, for more replicas to come.
  await master.admin.config('SET', 'repl-diskless-sync-delay', '0')
  const replica = await startRedis(['--replicaof', '127.0.0.1', String(master.port)])
  await until('a replica that follows', async () =>
    (await replica.admin.info('replication')).includes('master_link_status:up'),
  )
  // Until the master has heard that it has the copy, which may take a second, the master keeps what comes after it to itself.
  await until('a replica that is told what follows', async () =>
    (await master.admin.info('replication')).includes(`port=${replica.port},state=online`),
  )
  return replica
}

/** Resolves when a replica has all that its master has at this moment. */
export async function hasCaughtUp(master: TestRedis, replica: TestRedis): Promise<void> {
  const offsetIn = async ({ admin }: TestRedis, field: string): Promise<number> =>
    Number(new RegExp(`${field}:(\\d+)`).exec(await admin.info('replication'))?.[1])
  const end = await offsetIn(master, 'master_repl_offset')
  await until(
    'a replica that has everything',
    async () => (await offsetIn(replica, 'slave_repl_offset')) >= end,
  )
}

/** A real Sentinel that watches a master with its replicas, and promotes one when the master is silent for half a second. */
export async function startSentinel(
  master: TestRedis,
  replicas = 1,
): Promise<{ url: string; admin: Redis } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'roomcast-sentinel-'))
  const port = await freePort()
  const file = join(dir, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      `sentinel monitor chat 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds chat 500',
      'sentinel failover-timeout chat 5000',
      '',
    ].join('\n'),
  )
  const sentinel = startProcess('redis-server', [file, '--sentinel'])
  const admin = new Redis(port, '127.0.0.1', ADMIN)
  admin.on('error', () => undefined)
  const stop = async (): Promise<void> => {
    admin.disconnect()
    await sentinel[Symbol.asyncDispose]()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    await until('a Sentinel that knows the replicas', async () => {
      const known = (await admin.call('SENTINEL', 'REPLICAS', 'chat')) as unknown[]
      return known.length === replicas
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `redis+sentinel://127.0.0.1:${port}/chat`, admin, [Symbol.asyncDispose]: stop }
}

export interface TestCluster extends AsyncDisposable {
  readonly url: string
  /** The masters. */
  readonly nodes: readonly TestRedis[]
  /** Moves the slot of a key, with all that is in it, to the next node, as resharding does under traffic. */
  moveSlotOf(key: string): Promise<void>
}

/** A real Redis Cluster of three masters. */
export async function startRedisCluster(): Promise<TestCluster> {
  const stack = new AsyncDisposableStack()
  try {
    const nodes: TestRedis[] = []
    for (let i = 0; i < 3; i++) {
      nodes.push(
        stack.use(await startRedis(['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'])),
      )
    }
    const slots = Math.ceil(16_384 / nodes.length)
    for (const [i, node] of nodes.entries()) {
      const from = i * slots
      await node.admin.call('CLUSTER', 'ADDSLOTSRANGE', from, Math.min(from + slots, 16_384) - 1)
      await node.admin.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
      if (i > 0) await node.admin.call('CLUSTER', 'MEET', '127.0.0.1', nodes[0]?.port ?? 0)
    }
    for (const node of nodes) {
      await until('a Redis Cluster that agrees', async () => {
        const info = String(await node.admin.call('CLUSTER', 'INFO'))
        return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')
      })
    }
    const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
    const all = stack.move()
    return {
      url: `redis+cluster://${hosts}`,
      nodes,
      moveSlotOf: (key) => moveSlot(nodes, key),
      [Symbol.asyncDispose]: () => all.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

/** Keys that one MIGRATE takes along. */
const MIGRATED_AT_A_TIME = 10

async function moveSlot(nodes: readonly TestRedis[], key: string): Promise<void> {
  const slot = Number(await nodes[0]?.admin.call('CLUSTER', 'KEYSLOT', key))
  const ids = await Promise.all(
    nodes.map(async ({ admin }) => String(await admin.call('CLUSTER', 'MYID'))),
  )
  const owners = (await nodes[0]?.admin.call('CLUSTER', 'SLOTS')) as [
    number,
    number,
    [string, number, string],
  ][]
  const ownerId = owners.find(([from, to]) => from <= slot && slot <= to)?.[2][2] ?? ''
  const from = ids.indexOf(ownerId)
  const to = (from + 1) % nodes.length
  const [source, target] = [nodes[from], nodes[to]]
  if (source === undefined || target === undefined) throw new Error('nobody has this slot')
  await target.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ownerId)
  await source.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] ?? '')
  for (;;) {
    const keys = (await source.admin.call(
      'CLUSTER',
      'GETKEYSINSLOT',
      slot,
      MIGRATED_AT_A_TIME,
    )) as string[]
    if (keys.length === 0) break
    await source.admin.call('MIGRATE', '127.0.0.1', target.port, '', 0, 5_000, 'KEYS', ...keys)
  }
  // The owners first; being told twice makes them drop the subscriptions of the slot once more, without a change that clients could see.
  for (const { admin } of [target, source, ...nodes]) {
    await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] ?? '')
  }
}
