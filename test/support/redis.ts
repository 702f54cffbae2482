import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { startProcess, until, type TestProcess } from './processes.ts'

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
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
  const admin = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null })
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

/** A real Redis Cluster of three masters. */
export async function startRedisCluster(): Promise<{ url: string } & AsyncDisposable> {
  const stack = new AsyncDisposableStack()
  try {
    const nodes = []
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
    return { url: `redis+cluster://${hosts}`, [Symbol.asyncDispose]: () => all.disposeAsync() }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
