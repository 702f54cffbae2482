export { parseConfig, presenceSettings, type Config } from './config.ts'
export { startPresence, type Presence } from './presence.ts'
