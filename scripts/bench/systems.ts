import { fileURLToPath } from 'node:url'
import { startDeployment } from '../../test/support/deployment.ts'
import { startProcess, type TestProcess } from '../../test/support/processes.ts'
import { startRedis } from '../../test/support/redis.ts'
import type { Cores } from './cores.ts'
import { cpuSeconds, residentBytes, waitedSeconds } from './process-usage.ts'

export const SYSTEMS = ['roomcast', 'stock classic', 'stock sharded'] as const
export type SystemName = (typeof SYSTEMS)[number]

/** A chat that clients can connect to, and what it costs. */
export interface System extends AsyncDisposable {
  readonly name: string
  readonly url: string
  /** Base URL of the broker's HTTP API; of Roomcast alone. */
  readonly brokerUrl?: string
  /** CPU time of each server process so far, in seconds. */
  cpu(): Promise<Readonly<Record<string, number>>>
  /** How long the process that holds the connections had to wait for its core so far, in seconds. */
  waited(): Promise<number>
  /** Resident memory of the process that holds the connections, in bytes. */
  resident(): Promise<number>
  /** A counter of the gateway's metrics, all series of those labels added up; of Roomcast alone. */
  metric(name: string, labels?: string): Promise<number>
}

export interface SystemOptions {
  readonly cores: Cores
  /** Flags of V8 and Node for the server processes. */
  readonly flags?: readonly string[]
  /** Folder for a CPU profile of each server process. */
  readonly profiles?: string | undefined
  /** Whether the broker runs with Redis and the clients, so that the gateway has its core to itself. */
  readonly isBrokerAside?: boolean
  /** Settings beyond those with which everything is measured. */
  readonly env?: Readonly<Record<string, string>>
}

/** Pings are rare, so that what is measured is messages; rates are no limit; joins and quits are not announced. */
const PING_INTERVAL_MS = '300000'
const SETTINGS = {
  LOG_LEVEL: 'warn',
  SAY_RATE_PER_SECOND: '1000000',
  SAY_BURST: '1000000',
  CONNECT_RATE_PER_SECOND: '0',
  NOTICE_MAX_MEMBERS: '0',
  PING_INTERVAL_MS,
} as const

/** How long a process may take to end and to write its profile. */
const END_LIMIT_MS = 30_000

export function startSystem(name: SystemName, options: SystemOptions): Promise<System> {
  switch (name) {
    case 'roomcast':
      return startRoomcast(options)
    case 'stock classic':
    case 'stock sharded':
      return startStock(name, options)
  }
}

function nodeArgs(process: string, { flags = [], profiles }: SystemOptions): readonly string[] {
  if (profiles === undefined) return flags
  const name = `${process.replaceAll(' ', '-')}-${Date.now()}.cpuprofile`
  return [...flags, '--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}`]
}

/** Ends processes so that they write their profiles. */
async function endInOrder(processes: readonly TestProcess[]): Promise<void> {
  for (const process of processes) process.signal('SIGTERM')
  await Promise.all(processes.map((process) => process.ended(END_LIMIT_MS)))
}

const pidOf = ({ child }: TestProcess): number => child.pid ?? 0

async function cpuOf(processes: Readonly<Record<string, TestProcess>>) {
  const times = Object.entries(processes).map(
    async ([name, process]) => [name, await cpuSeconds(pidOf(process))] as const,
  )
  return Object.fromEntries(await Promise.all(times))
}

/** A gateway, a broker and presence, with a Redis that writes each append to disk. */
async function startRoomcast(options: SystemOptions): Promise<System> {
  const { cores, profiles } = options
  const deployment = await startDeployment({
    gateways: 1,
    env: { ...SETTINGS, ...options.env },
    nodeArgs: (service) => (service === 'presence' ? [] : nodeArgs(service, options)),
  })
  const [gateway] = deployment.gateways
  const [broker] = deployment.brokers
  const [presence] = deployment.presences
  if (gateway === undefined || broker === undefined || presence === undefined)
    throw new Error('a deployment without services')
  cores.pin(pidOf(gateway), cores.servers)
  cores.pin(pidOf(broker), options.isBrokerAside === true ? cores.others : cores.servers)
  cores.pin(pidOf(presence), cores.others)
  cores.pin(deployment.redis.pid(), cores.others)
  return {
    name: 'roomcast',
    url: gateway.url,
    brokerUrl: broker.url,
    cpu: () => cpuOf({ gateway, broker }),
    waited: () => waitedSeconds(pidOf(gateway)),
    resident: () => residentBytes(pidOf(gateway)),
    async metric(name, labels = '') {
      const text = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
      return text
        .split('\n')
        .filter((line) => line.startsWith(name) && line.includes(labels))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    },
    async [Symbol.asyncDispose]() {
      if (profiles !== undefined) await endInOrder([gateway, broker])
      await deployment[Symbol.asyncDispose]()
    },
  }
}

const STOCK_SERVER = fileURLToPath(new URL('stock-server.ts', import.meta.url))

/** Stock Socket.IO in one process, with a Redis that keeps nothing. */
async function startStock(
  name: 'stock classic' | 'stock sharded',
  options: SystemOptions,
): Promise<System> {
  const { cores, profiles } = options
  const stack = new AsyncDisposableStack()
  try {
    const redis = stack.use(await startRedis(['--appendonly', 'no']))
    const server = stack.use(
      startProcess(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', ...nodeArgs(name, options), STOCK_SERVER],
        {
          env: {
            PATH: process.env['PATH'] ?? '',
            ADAPTER: name.split(' ')[1] ?? '',
            REDIS_URL: redis.url,
            PING_INTERVAL_MS,
          },
        },
      ),
    )
    const [, port] = await server.printed(/listening on (\d+)/)
    cores.pin(pidOf(server), cores.servers)
    cores.pin(redis.pid(), cores.others)
    const started = stack.move()
    return {
      name,
      url: `http://127.0.0.1:${port}`,
      cpu: () => cpuOf({ server }),
      waited: () => waitedSeconds(pidOf(server)),
      resident: () => residentBytes(pidOf(server)),
      metric: () => Promise.resolve(Number.NaN),
      async [Symbol.asyncDispose]() {
        if (profiles !== undefined) await endInOrder([server])
        await started.disposeAsync()
      },
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
