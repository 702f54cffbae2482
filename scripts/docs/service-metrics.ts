import { parseConfig as parseBrokerConfig, startBroker } from '@roomcast/broker'
import { parseConfig as parseGatewayConfig, startGateway } from '@roomcast/gateway'
import { parseConfig as parsePresenceConfig, startPresence } from '@roomcast/presence'
import { createMemoryLog, REDIS_COMMANDS } from '@roomcast/roomlog'
import { Closer, createLog, measureRedis, VERSION, type Telemetry } from '@roomcast/runtime'
import { measureProcess } from '../../services/runtime/src/process-metrics.ts'
import { recordMetrics, type RecordedMetric } from './recorded-metrics.ts'

export interface ServiceMetrics {
  readonly name: string
  readonly metrics: readonly RecordedMetric[]
}

const ENV = {
  HOST: '127.0.0.1',
  PORT: '0',
  METRICS_PORT: '0',
  WARMUP_MS: '0',
  REDIS_URL: 'redis://memory',
  POD_NAME: 'gateway-1',
}

/** Switches on what a gateway does not measure otherwise; nobody is asked. */
const OPTIONAL = {
  AUTH_JWT_SECRET: 'a-secret-that-signs-nothing-at-all',
  HOOK_JOIN_URL: 'http://127.0.0.1:9/join',
  HOOK_SAY_URL: 'http://127.0.0.1:9/say',
  HOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
}

/** What each service registers when it starts, and what each process has beside that: the services are started for it, and ended. */
export async function metricsOfServices(): Promise<{
  readonly common: readonly RecordedMetric[]
  readonly services: readonly ServiceMetrics[]
}> {
  const closer = new Closer()
  const log = createLog('docs', 'silent')
  const now = Date.now
  const process = recordMetrics()
  const ofProcess = measureProcess({ getMeter: () => process.meter }, 'gateway', VERSION)
  closer.add(() => ofProcess.stop())
  const [gateway, broker, presence] = [recordMetrics(), recordMetrics(), recordMetrics()]
  // As their main.ts does.
  measureRedis(broker.meter, 'broker', REDIS_COMMANDS)
  measureRedis(gateway.meter, 'gateway', REDIS_COMMANDS)
  try {
    const roomLog = createMemoryLog()
    closer.add(() => roomLog.close())
    const started = {
      presence: await startPresence(parsePresenceConfig(ENV), {
        log,
        telemetry: telemetryOf(presence),
        now,
      }),
      broker: await startBroker(parseBrokerConfig(ENV), {
        log,
        telemetry: telemetryOf(broker),
        roomLog,
        now,
      }),
    }
    closer.add(() => started.presence.close())
    closer.add(() => started.broker.close())
    const config = parseGatewayConfig({
      ...ENV,
      BROKER_URL: `http://127.0.0.1:${started.broker.port}`,
      PRESENCE_URL: `http://127.0.0.1:${started.presence.port}`,
      ...OPTIONAL,
    })
    const deps = { log, telemetry: telemetryOf(gateway), roomLog, now }
    const startedGateway = await startGateway(config, deps)
    closer.add(() => startedGateway.close())
    return {
      common: await process.metrics(),
      services: [
        { name: 'gateway', metrics: await gateway.metrics() },
        { name: 'broker', metrics: await broker.metrics() },
        { name: 'presence', metrics: await presence.metrics() },
      ],
    }
  } finally {
    await closer.close()
  }
}

function telemetryOf({ meter }: ReturnType<typeof recordMetrics>): Telemetry {
  return { meter, scrape: (_req, res) => void res.end(), close: async () => undefined }
}
