import { fileURLToPath } from 'node:url'
import { freePort, startRedis, type TestRedis } from './redis.ts'
import { startProcess, until, type TestProcess } from './processes.ts'

/** How long a service may take until it is ready, on a machine on which many start at a time. */
const READY_WITHIN_MS = 40_000

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** How a service is started so that it is measured. */
export const INSTRUMENTED = ['--import', '@roomcast/runtime/instrument'] as const

export interface TestService extends TestProcess {
  readonly url: string
  readonly metricsUrl: string
}

export interface Deployment extends AsyncDisposable {
  readonly redis: TestRedis
  readonly gateways: readonly TestService[]
  readonly brokers: readonly TestService[]
  readonly presences: readonly TestService[]
  /** Starts one more gateway, as a scale-up would. */
  addGateway(env?: Record<string, string>): Promise<TestService>
  /** Starts a service that has ended anew, on its port; it takes the old one's place in the list. Resolves before it is ready. */
  restart(service: TestService): Promise<TestService>
  /** The log lines of every process so far, of those that ended too. */
  logged(): Record<string, unknown>[]
}

interface DeploymentOptions {
  readonly gateways?: number
  readonly brokers?: number
  readonly presences?: number
  /** Environment of every service beyond its addresses. */
  readonly env?: Record<string, string>
  /** What runs as a gateway, instead of the gateway's own `main.ts`: a path from the root of the checkout. */
  readonly gatewayMain?: string
  /** An existing Redis URL instead of a Redis of its own. */
  readonly redisUrl?: string
  /** Arguments of Node for a service, such as those of a profile. */
  readonly nodeArgs?: (service: string) => readonly string[]
}

/** Roomcast as it runs in production: a process for each replica, on a real Redis. Resolves when every replica is ready. */
export async function startDeployment(options: DeploymentOptions = {}): Promise<Deployment> {
  const { gateways = 2, brokers = 1, presences = 1, env = {}, nodeArgs = () => [] } = options
  const stack = new AsyncDisposableStack()
  try {
    const redis = stack.use(await startRedis())
    const ports = await Promise.all(Array.from({ length: brokers + presences }, freePort))
    const url = (port: number): string => `http://127.0.0.1:${port}`
    const urls = {
      broker: ports.slice(0, brokers).map(url),
      presence: ports.slice(brokers).map(url),
    }
    const common = {
      REDIS_URL: options.redisUrl ?? redis.url,
      BROKER_URL: urls.broker.join(','),
      PRESENCE_URL: urls.presence.join(','),
      HOST: '127.0.0.1',
      LOG_LEVEL: 'info',
      WARMUP_MS: '0',
      DRAIN_PROPAGATION_MS: '0',
      DRAIN_SPREAD_MS: '0',
      // Or a test that says many messages passes on a slow machine only.
      SAY_RATE_PER_SECOND: '10000',
      SAY_BURST: '10000',
      ...env,
    }
    const services: TestProcess[] = []
    const restarts = new Map<TestService, () => Promise<TestService>>()
    const mains = {
      broker: 'services/broker/src/main.ts',
      presence: 'services/presence/src/main.ts',
      gateway: options.gatewayMain ?? 'services/gateway/src/main.ts',
    }
    const start = async (
      name: keyof typeof mains,
      port: number,
      extra: Record<string, string> = {},
    ): Promise<TestService> => {
      const metricsPort = await freePort()
      const service = stack.use(
        startProcess(
          process.execPath,
          [
            '--conditions=source',
            '--disable-warning=ExperimentalWarning',
            ...INSTRUMENTED,
            ...nodeArgs(name),
            mains[name],
          ],
          {
            cwd: ROOT,
            env: {
              ...inherited(),
              ...common,
              ...extra,
              PORT: String(port),
              METRICS_PORT: String(metricsPort),
            },
          },
        ),
      )
      services.push(service)
      const started = { ...service, url: url(port), metricsUrl: url(metricsPort) }
      restarts.set(started, () => start(name, port, extra))
      return started
    }
    // Alone, a replica need not look for others before it leads.
    const peers: Record<string, string> =
      presences > 1 ? { PRESENCE_PEERS: urls.presence.join(',') } : {}
    const [brokerServices, presenceServices] = await Promise.all([
      Promise.all(ports.slice(0, brokers).map((port) => start('broker', port))),
      Promise.all(ports.slice(brokers).map((port) => start('presence', port, peers))),
    ])
    const gatewayServices: TestService[] = []
    let named = 0
    const addGateway = async (extra: Record<string, string> = {}): Promise<TestService> => {
      const i = named++
      const name = { POD_NAME: `gateway-${i + 1}` }
      const gateway = await start('gateway', await freePort(), { ...name, ...extra })
      // In the order of their names, whichever starts first.
      gatewayServices[i] = gateway
      await isReady(gateway)
      return gateway
    }
    await Promise.all(Array.from({ length: gateways }, () => addGateway()))
    await Promise.all([...brokerServices, ...presenceServices].map(isReady))
    const restart = async (service: TestService): Promise<TestService> => {
      const started = await restarts.get(service)?.()
      if (started === undefined) throw new Error(`no service of this deployment: ${service.url}`)
      restarts.delete(service)
      for (const list of [gatewayServices, brokerServices, presenceServices]) {
        const place = list.indexOf(service)
        if (place !== -1) list[place] = started
      }
      return started
    }
    return {
      redis,
      gateways: gatewayServices,
      brokers: brokerServices,
      presences: presenceServices,
      addGateway,
      restart,
      logged: () => services.flatMap((service) => service.output().split('\n').flatMap(parseLine)),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

/** A line of a log; none for what is not one, or is cut off by a kill. */
function parseLine(line: string): Record<string, unknown>[] {
  try {
    return line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []
  } catch {
    return []
  }
}

/** What a service process needs of this one's environment, and nothing that would configure it. */
function inherited(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '' }
}

/** Resolves when `/readyz` answers 200; a service that does not get there is told with why, and with what it printed. */
export async function isReady(service: TestService): Promise<void> {
  const { child, url, metricsUrl } = service
  const isUp = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`a service ended:\n${service.output()}`)
    return (await statusOf(`${metricsUrl}/readyz`)) === 200
  }
  try {
    await until(`a ready service at ${url}`, isUp, READY_WITHIN_MS)
  } catch (error) {
    const answer = await fetch(`${metricsUrl}/readyz`).then(
      async (response) => response.text(),
      String,
    )
    throw new Error(`${url} is not ready: ${answer}\n${service.output()}`, { cause: error })
  }
}

/** The status of a GET, or undefined while nobody answers. */
export async function statusOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url)
    await response.arrayBuffer()
    return response.status
  } catch {
    // Nobody listens yet, or not any more.
    return undefined
  }
}

/** The body of a GET that must succeed. */
export async function getJson<T>(url: string, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(url, { headers })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}
