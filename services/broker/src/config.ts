import { DEFAULT_RETENTION, parseRedisUrl } from '@roomcast/roomlog'
import {
  bytes,
  commonSettings,
  count,
  httpLimitsOf,
  httpLimitsSettings,
  ms,
  parseSettings,
  port,
  roomLogSettings,
  secretList,
  type Environment,
  type HttpLimits,
  type SettingsShape,
} from '@roomcast/runtime'

export const brokerSettings = {
  ...commonSettings,
  ...roomLogSettings(parseRedisUrl),
  PORT: port(8070).describe('Port of the HTTP API, at which gateways append too.'),
  API_KEYS: secretList(16)
    .optional()
    .describe(
      'Keys, separated by commas, one of which publishes and deletes as `Authorization: Bearer`. Without it everybody may. Reading is open either way.',
    ),
  HISTORY_SIZE: count(DEFAULT_RETENTION.historySize, 1, 1_000_000).describe(
    'Messages that are kept of each room, or somewhat more.',
  ),
  HISTORY_TTL_MS: ms(DEFAULT_RETENTION.historyTtlMs, 31_536_000_000, 1_000).describe(
    "How long a room's messages are kept after its last one.",
  ),
  WAIT_REPLICAS: count(0, 0, 100).describe(
    'Replicas of Redis that must have a message before it is acknowledged. With fewer of them nothing is: writers get `unavailable`.',
  ),
  PUBLISH_MAX_BYTES: bytes(16_777_216, 65_536, 4_294_967_296).describe(
    'Bytes of messages from the HTTP API that may wait for the room log at a time; over it publishing gets `busy`.',
  ),
  MAX_STREAMS: count(1_000, 0, 1_000_000).describe(
    'Event streams and waiting long polls at a time; over it a new one gets `busy`.',
  ),
  STREAM_BUFFER_BYTES: bytes(1_048_576, 16_384, 1_073_741_824).describe(
    'Unsent bytes that an event stream may have; over it the stream is ended, and the client comes back with `Last-Event-ID`.',
  ),
  STREAM_HEARTBEAT_MS: ms(15_000, 3_600_000, 100).describe(
    'How often an event stream gets a comment, so that proxies do not take it for dead.',
  ),
  ...httpLimitsSettings,
} satisfies SettingsShape

export interface Config {
  readonly host: string
  readonly port: number
  readonly metricsPort: number
  readonly logLevel: string
  readonly internalToken: string | undefined
  readonly shutdownTimeoutMs: number
  readonly httpLimits: HttpLimits
  readonly redisUrl: string
  readonly redisKeyPrefix: string
  /** Empty: everybody may publish and delete. */
  readonly apiKeys: readonly string[]
  readonly textMaxBytes: number
  readonly historySize: number
  readonly historyTtlMs: number
  readonly waitReplicas: number
  readonly publishMaxBytes: number
  readonly maxStreams: number
  readonly streamBufferBytes: number
  readonly streamHeartbeatMs: number
}

/** Throws a `SettingsError` that names every bad variable. */
export function parseConfig(env: Environment): Config {
  const settings = parseSettings(brokerSettings, env)
  return {
    host: settings.HOST,
    port: settings.PORT,
    metricsPort: settings.METRICS_PORT,
    logLevel: settings.LOG_LEVEL,
    internalToken: settings.INTERNAL_TOKEN,
    shutdownTimeoutMs: settings.SHUTDOWN_TIMEOUT_MS,
    httpLimits: httpLimitsOf(settings),
    redisUrl: settings.REDIS_URL,
    redisKeyPrefix: settings.REDIS_KEY_PREFIX,
    apiKeys: settings.API_KEYS ?? [],
    textMaxBytes: settings.TEXT_MAX_BYTES,
    historySize: settings.HISTORY_SIZE,
    historyTtlMs: settings.HISTORY_TTL_MS,
    waitReplicas: settings.WAIT_REPLICAS,
    publishMaxBytes: settings.PUBLISH_MAX_BYTES,
    maxStreams: settings.MAX_STREAMS,
    streamBufferBytes: settings.STREAM_BUFFER_BYTES,
    streamHeartbeatMs: settings.STREAM_HEARTBEAT_MS,
  }
}
