import {
  createLog,
  parseSettings,
  runService,
  shownSettings,
  startTelemetry,
  VERSION,
} from '@roomcast/runtime'
import { parseConfig, presenceSettings } from './config.ts'
import { startPresence } from './presence.ts'

await runService('presence', async () => {
  const config = parseConfig(process.env)
  const log = createLog('presence', config.logLevel)
  const settings = shownSettings(presenceSettings, parseSettings(presenceSettings, process.env))
  log.info({ version: VERSION, settings }, 'starting')
  const telemetry = startTelemetry('presence', VERSION)
  const presence = await startPresence(config, { log, telemetry, now: Date.now })
  return {
    log,
    shutdownTimeoutMs: config.shutdownTimeoutMs,
    close: async () => {
      await presence.close()
      await telemetry.close()
    },
  }
})
