import { connectPatientRedis, createRedisLog, logOutages, REDIS_COMMANDS } from '@roomcast/roomlog'
import {
  createLog,
  measureRedis,
  parseSettings,
  shownSettings,
  startTelemetry,
  VERSION,
  type Environment,
  type Log,
} from '@roomcast/runtime'
import { gatewaySettings, parseConfig } from './config.ts'
import { startGateway, type Application } from './gateway.ts'

/**
 * Starts a gateway as its environment says, on Redis. Throws `SettingsError` for an environment that is at fault. `close` ends the
 * gateway, and then its connections to Redis.
 */
export async function startFromEnvironment(
  env: Environment,
  application?: Application,
): Promise<{ close(): Promise<void>; readonly log: Log; readonly shutdownTimeoutMs: number }> {
  const config = parseConfig(env)
  const log = createLog('gateway', config.logLevel)
  const settings = shownSettings(gatewaySettings, parseSettings(gatewaySettings, env))
  log.info({ version: VERSION, settings }, 'gateway is starting')
  const telemetry = startTelemetry('gateway', VERSION, config.traces)
  const roomLog = createRedisLog({
    url: config.redisUrl,
    keyPrefix: config.redisKeyPrefix,
    connectionName: 'roomcast-gateway',
    sessionTtlMs: 2 * config.recoveryWindowMs,
    onEvent: logOutages(log, Date.now),
    onCommand: measureRedis(telemetry.meter, 'gateway', REDIS_COMMANDS),
  })
  const publisher = connectPatientRedis(config.redisUrl, 'roomcast-gateway-cluster')
  const subscriber = connectPatientRedis(config.redisUrl, 'roomcast-gateway-cluster-follow')
  const gateway = await startGateway(config, {
    log,
    telemetry,
    roomLog,
    cluster: { publisher, subscriber },
    application,
    now: Date.now,
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await roomLog.close()
    publisher.disconnect()
    subscriber.disconnect()
  }
  return { close, log, shutdownTimeoutMs: config.shutdownTimeoutMs }
}
