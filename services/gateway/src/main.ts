import { connectPatientRedis, createRedisLog, logOutages } from '@roomcast/roomlog'
import {
  createLog,
  parseSettings,
  runService,
  shownSettings,
  startTelemetry,
  VERSION,
} from '@roomcast/runtime'
import { gatewaySettings, parseConfig } from './config.ts'
import { startGateway } from './gateway.ts'

await runService('gateway', async () => {
  const config = parseConfig(process.env)
  const log = createLog('gateway', config.logLevel)
  const settings = shownSettings(gatewaySettings, parseSettings(gatewaySettings, process.env))
  log.info({ version: VERSION, settings }, 'gateway is starting')
  const roomLog = createRedisLog({
    url: config.redisUrl,
    keyPrefix: config.redisKeyPrefix,
    connectionName: 'roomcast-gateway',
    sessionTtlMs: 2 * config.recoveryWindowMs,
    onEvent: logOutages(log, Date.now),
  })
  const publisher = connectPatientRedis(config.redisUrl, 'roomcast-gateway-cluster')
  const subscriber = connectPatientRedis(config.redisUrl, 'roomcast-gateway-cluster-follow')
  const gateway = await startGateway(config, {
    log,
    telemetry: startTelemetry('gateway', VERSION),
    roomLog,
    cluster: { publisher, subscriber },
    now: Date.now,
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await roomLog.close()
    publisher.disconnect()
    subscriber.disconnect()
  }
  return { close, log, shutdownTimeoutMs: config.shutdownTimeoutMs }
})
