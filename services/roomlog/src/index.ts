export * from './continuity.ts'
export { createMemoryLog } from './memory.ts'
export {
  connectPatientRedis,
  connectRedis,
  parseRedisUrl,
  type RedisClient,
} from './redis/connect.ts'
export type { RedisLogEvent } from './redis/availability.ts'
export * from './page-view.ts'
export { logOutages } from './redis/outages.ts'
export { createRedisLog } from './redis/redis-room-log.ts'
export * from './room-feed.ts'
export * from './room-log.ts'
export * from './sessions.ts'
