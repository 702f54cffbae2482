import { createRedisLog, logOutages, REDIS_COMMANDS } from '@roomcast/roomlog'
import {
  createLog,
  measureRedis,
  parseSettings,
  runService,
  shownSettings,
  startTelemetry,
  VERSION,
} from '@roomcast/runtime'
import { startBroker } from './broker.ts'
import { brokerSettings, parseConfig } from './config.ts'

await runService('broker', async () => {
  const config = parseConfig(process.env)
  const log = createLog('broker', config.logLevel)
  const settings = shownSettings(brokerSettings, parseSettings(brokerSettings, process.env))
  log.info({ version: VERSION, settings }, 'starting')
  const telemetry = startTelemetry('broker', VERSION, config.traces)
  const roomLog = createRedisLog({
    url: config.redisUrl,
    keyPrefix: config.redisKeyPrefix,
    connectionName: 'roomcast-broker',
    retention: { historySize: config.historySize, historyTtlMs: config.historyTtlMs },
    waitReplicas: config.waitReplicas,
    onEvent: logOutages(log, Date.now),
    onCommand: measureRedis(telemetry.meter, 'broker', REDIS_COMMANDS),
  })
  const broker = await startBroker(config, { log, telemetry, roomLog, now: Date.now })
  return {
    log,
    shutdownTimeoutMs: config.shutdownTimeoutMs,
    close: async () => {
      await broker.close()
      await roomLog.close()
      await telemetry.close()
    },
  }
})
