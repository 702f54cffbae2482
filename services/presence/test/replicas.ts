import { Closer, createLog, startTelemetry } from '@roomcast/runtime'
import {
  REPORT_DIFF_INTERVAL_MS,
  type GatewayInfo,
  type RoomId,
  type Shed,
} from '@roomcast/protocol'
import { startReporter, type Reporter } from '../../gateway/src/reporter.ts'
import { parseConfig, startPresence, type Config, type Presence } from '../src/index.ts'

const base: Config = {
  host: '127.0.0.1',
  port: 0,
  metricsPort: 0,
  logLevel: 'silent',
  internalToken: undefined,
  apiKeys: [],
  leaseMs: 3_000,
  warmupMs: 0,
  maxStreams: 200,
  pod: 'presence-test',
  duties: parseConfig({}).duties,
  httpLimits: { ratePerSecond: 0, trustedProxies: [] },
  shutdownTimeoutMs: 5_000,
}

/** How much faster than time the clock of a scene runs: intervals, leases and waits are short, and in proportion. */
const SCENE_SPEED = 8

/** Ends what a test opened, last first. */
export class Scene implements AsyncDisposable {
  readonly #closer = new Closer()
  readonly #log = createLog('test', 'silent')
  readonly #speed: number

  /** `speed`: 1 for what has to be done within a wait of its own, such as work that keeps the processor busy. */
  constructor({ speed = SCENE_SPEED }: { speed?: number } = {}) {
    this.#speed = speed
  }

  /** The clock of everything here, in milliseconds. */
  readonly now = (): number => this.#speed * performance.now()

  async presence(config: Partial<Config> = {}): Promise<Presence & { url: string }> {
    const telemetry = startTelemetry('presence', 'test')
    const presence = await startPresence(
      { ...base, ...config },
      { log: this.#log, telemetry, now: this.now },
    )
    this.#closer.add(() => telemetry.close())
    this.#closer.add(() => presence.close())
    return Object.assign(presence, { url: `http://127.0.0.1:${presence.port}` })
  }

  gateway(
    instance: string,
    presenceUrls: readonly string[],
    { internalToken }: { internalToken?: string } = {},
  ): TestGateway {
    const counts = new Map<string, number>()
    const heard: (readonly [RoomId, number])[] = []
    const lists: (readonly GatewayInfo[])[] = []
    const sheds: Shed[] = []
    const reporter = startReporter({
      presenceUrls,
      internalToken,
      gateway: infoOf(instance),
      log: this.#log,
      now: this.now,
      tickMs: REPORT_DIFF_INTERVAL_MS / this.#speed,
      onGateways: (list) => lists.push(list),
      onCounts: (news) => {
        for (const [room, online] of news) counts.set(room, online)
        heard.push(...news)
      },
      onShed: (shed) => sheds.push(shed),
      onAnnounce: () => undefined,
    })
    this.#closer.add(() => reporter.close())
    return {
      ...reporter,
      counts,
      heard,
      lists,
      sheds,
      instances: () => lists.at(-1)?.map((info) => info.instance) ?? [],
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close()
  }
}

export interface TestGateway extends Reporter {
  /** The newest count of each room. */
  readonly counts: ReadonlyMap<string, number>
  /** Every count in the order in which it came. */
  readonly heard: readonly (readonly [RoomId, number])[]
  /** Every list of gateways in the order in which it came. */
  readonly lists: readonly (readonly GatewayInfo[])[]
  /** What presence's leader asked of it. */
  readonly sheds: readonly Shed[]
  /** The newest list of gateways. */
  instances(): string[]
}

export function infoOf(instance: string): GatewayInfo {
  return { instance, pod: `pod-${instance}`, address: '127.0.0.1:1', version: '0', startedAt: 0 }
}

/** The body of an answer, with its status. */
export async function get(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const answer = await fetch(url, { headers })
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  }
}
