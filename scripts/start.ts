/**
 * Roomcast in one process, for trying it and for developing with it:
 *
 *   npm start -- [--gateways N] [--port P] [--redis URL] [--host ADDRESS]
 *
 * N gateways (2) on ports P, P + 1, … (8080), the broker's API on 8070, presence on 8090, and the messages in memory, or in Redis with
 * `--redis URL` or `REDIS_URL`. Every other setting is an environment variable: docs/config.md.
 */
import { parseArgs } from 'node:util'
import { parseConfig as parseBrokerConfig, startBroker } from '@roomcast/broker'
import { parseConfig as parseGatewayConfig, startGateway } from '@roomcast/gateway'
import { parseConfig as parsePresenceConfig, startPresence } from '@roomcast/presence'
import {
  connectPatientRedis,
  createMemoryLog,
  createRedisLog,
  REDIS_COMMANDS,
  type RedisLogEvent,
  type RoomLog,
} from '@roomcast/roomlog'
import {
  Closer,
  createLog,
  measureRedis,
  runService,
  StartError,
  startTelemetry,
  VERSION,
  type Environment,
} from '@roomcast/runtime'

const BROKER_PORT = 8070
const PRESENCE_PORT = 8090
/** Metrics ports: this one and the next for broker and presence, then one for each gateway. */
const METRICS_PORT = 9462
/** More are many processes' work. */
const GATEWAYS_MAX = 32

interface Options {
  readonly gateways: number
  readonly port: number
  readonly redisUrl: string | undefined
  readonly host: string
}

function parseOptions(args: readonly string[], env: Environment): Options {
  let values
  try {
    ;({ values } = parseArgs({
      args: [...args],
      options: {
        gateways: { type: 'string', default: '2' },
        port: { type: 'string', default: '8080' },
        redis: { type: 'string' },
        host: { type: 'string', default: '127.0.0.1' },
      },
    }))
  } catch (error) {
    throw new StartError(error instanceof Error ? error.message : String(error))
  }
  return {
    gateways: numberOption('--gateways', values.gateways, 1, GATEWAYS_MAX),
    port: numberOption('--port', values.port, 1, 65_535 - GATEWAYS_MAX),
    redisUrl: values.redis ?? env['REDIS_URL'],
    host: values.host,
  }
}

function numberOption(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new StartError(`${name} takes a whole number from ${min} to ${max}`)
}

async function start() {
  const { gateways, port, redisUrl, host } = parseOptions(process.argv.slice(2), process.env)
  const closer = new Closer()
  const env: Environment = {
    LOG_LEVEL: 'error',
    ...process.env,
    HOST: host,
    // With the memory log nothing connects to it.
    REDIS_URL: redisUrl ?? 'redis://memory',
    BROKER_URL: `http://127.0.0.1:${BROKER_PORT}`,
    PRESENCE_URL: `http://127.0.0.1:${PRESENCE_PORT}`,
    WARMUP_MS: '0',
    // There is no other process for clients to go to.
    DRAIN_PROPAGATION_MS: '0',
    DRAIN_SPREAD_MS: '0',
  }
  const presenceConfig = parsePresenceConfig({
    ...env,
    PORT: String(PRESENCE_PORT),
    METRICS_PORT: String(METRICS_PORT + 1),
  })
  const brokerConfig = parseBrokerConfig({
    ...env,
    PORT: String(BROKER_PORT),
    METRICS_PORT: String(METRICS_PORT),
  })
  const gatewayConfigs = Array.from({ length: gateways }, (_, i) =>
    parseGatewayConfig({
      ...env,
      PORT: String(port + i),
      METRICS_PORT: String(METRICS_PORT + 2 + i),
      POD_NAME: `gateway-${i + 1}`,
    }),
  )
  const retention = {
    historySize: brokerConfig.historySize,
    historyTtlMs: brokerConfig.historyTtlMs,
  }
  const sessionTtlMs = 2 * (gatewayConfigs[0]?.recoveryWindowMs ?? 0)
  const { revocationTtlMs } = brokerConfig
  const deps = (service: string) => ({
    log: createLog(service, presenceConfig.logLevel),
    telemetry: startTelemetry(service, VERSION, brokerConfig.traces),
    now: Date.now,
  })
  // It has the room log for all of them.
  const brokerDeps = deps('broker')
  try {
    const roomLog =
      redisUrl === undefined
        ? createMemoryLog({ retention, sessionTtlMs, revocationTtlMs })
        : await openRedisLog({
            url: redisUrl,
            keyPrefix: brokerConfig.redisKeyPrefix,
            retention,
            sessionTtlMs,
            onCommand: measureRedis(brokerDeps.telemetry.meter, 'broker', REDIS_COMMANDS),
            revocationTtlMs,
          })
    closer.add(() => roomLog.close())
    const presence = await startPresence(presenceConfig, deps('presence'))
    closer.add(() => presence.close())
    const broker = await startBroker(brokerConfig, { ...brokerDeps, roomLog })
    closer.add(() => broker.close())
    for (const config of gatewayConfigs) {
      const cluster = redisUrl === undefined ? undefined : connectCluster(redisUrl, closer)
      const gateway = await startGateway(config, { ...deps('gateway'), roomLog, cluster })
      closer.add(() => gateway.close())
    }
  } catch (error) {
    // Why it did not start is what matters, not what that broke on the way out.
    await closer.close().catch(() => undefined)
    throw error
  }
  const isOpen = brokerConfig.apiKeys.length === 0 && brokerConfig.apiKeysFile === undefined
  const needsToken = gatewayConfigs[0]?.auth !== undefined
  process.stdout.write(welcome({ gateways, port, redisUrl, host, isOpen, needsToken }))
  const log = createLog('start', presenceConfig.logLevel)
  return { log, close: closer.close, shutdownTimeoutMs: 2_000 }
}

/** Waits for Redis, so that what is printed afterwards is true; a Redis that is not there is said at once. */
async function openRedisLog(
  options: Omit<Parameters<typeof createRedisLog>[0], 'onEvent'>,
): Promise<RoomLog> {
  let onFirst: (event: RedisLogEvent) => void = () => undefined
  const first = new Promise<RedisLogEvent>((resolve) => {
    onFirst = resolve
  })
  const roomLog = createRedisLog({ ...options, onEvent: (event) => onFirst(event) })
  const event = await first
  if (event.kind === 'available') return roomLog
  await roomLog.close()
  throw new StartError(`Redis can not be used: ${describe(event.error)}`)
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ')
  return error instanceof Error ? error.message : String(error)
}

/** The two connections that a gateway has for cluster operations. */
function connectCluster(url: string, closer: Closer) {
  const publisher = connectPatientRedis(url, 'roomcast-gateway-cluster')
  const subscriber = connectPatientRedis(url, 'roomcast-gateway-cluster-follow')
  closer.add(() => {
    publisher.disconnect()
    subscriber.disconnect()
  })
  return { publisher, subscriber }
}

/** What to open, and what it is made of. */
function welcome({
  gateways,
  port,
  redisUrl,
  host,
  isOpen,
  needsToken,
}: Options & {
  /** Whether there are no API keys. */
  readonly isOpen: boolean
  readonly needsToken: boolean
}): string {
  const at = (p: number, path = '/'): string =>
    `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${p}${path}`
  const pages = Array.from({ length: gateways }, (_, i) => `  chat      ${at(port + i)}`)
  return [
    '',
    `Roomcast ${VERSION}: open two of these and chat`,
    ...pages,
    `  identity  ${needsToken ? 'a token is needed: docs/identity.md' : 'open, a name is a claim: set AUTH_JWT_SECRET to change that'}`,
    `  API       ${at(BROKER_PORT, '/openapi.json')}`,
    `  dashboard ${at(PRESENCE_PORT)}`,
    ...(isOpen
      ? ['            both OPEN to everybody who reaches them: set API_KEYS to change that']
      : []),
    `  messages  ${redisUrl === undefined ? 'in memory, gone at the end' : 'in Redis'}`,
    'Ctrl-C ends it.',
    '',
    '',
  ].join('\n')
}

await runService('start', start)
