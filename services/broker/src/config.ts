import { DEFAULT_RETENTION, DEFAULT_REVOCATION_TTL_MS, parseRedisUrl } from '@roomcast/roomlog'
import {
  bytes,
  commonSettings,
  count,
  httpLimitsOf,
  httpLimitsSettings,
  internalConfigOf,
  internalSettings,
  keysConfigOf,
  keySettings,
  ms,
  parseSettings,
  port,
  roomLogSettings,
  traceConfig,
  traceSettings,
  type Environment,
  type HttpLimits,
  type InternalConfig,
  type KeysConfig,
  type SettingsShape,
  type TraceConfig,
} from '@roomcast/runtime'

export const brokerSettings = {
  ...commonSettings,
  ...internalSettings,
  ...roomLogSettings(parseRedisUrl),
  PORT: port(8070).describe('Port of the HTTP API, at which gateways append too.'),
  ...keySettings({
    guarded:
      'publish, to clear rooms, and to moderate (kick, ban, delete messages, end connections)',
    read: 'read messages: a page, a long poll, a stream',
  }),
  HISTORY_SIZE: count(DEFAULT_RETENTION.historySize, 1, 1_000_000).describe(
    'Messages that are kept of each room, or somewhat more.',
  ),
  HISTORY_TTL_MS: ms(DEFAULT_RETENTION.historyTtlMs, 31_536_000_000, 1_000).describe(
    "How long a room's messages are kept after its last one.",
  ),
  REVOCATION_TTL_MS: ms(DEFAULT_REVOCATION_TTL_MS, 31_536_000_000, 1_000).describe(
    'How long the tokens of a user whose connections were ended are refused: longer than any token lives.',
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
  ...traceSettings,
  ...httpLimitsSettings,
} satisfies SettingsShape

export interface Config extends InternalConfig, KeysConfig {
  readonly host: string
  readonly port: number
  readonly metricsPort: number
  readonly logLevel: string
  readonly shutdownTimeoutMs: number
  readonly httpLimits: HttpLimits
  readonly redisUrl: string
  readonly redisKeyPrefix: string
  readonly textMaxBytes: number
  readonly historySize: number
  readonly historyTtlMs: number
  readonly revocationTtlMs: number
  readonly waitReplicas: number
  readonly publishMaxBytes: number
  readonly maxStreams: number
  readonly streamBufferBytes: number
  readonly streamHeartbeatMs: number
  /** Undefined: nothing is traced. */
  readonly traces: TraceConfig | undefined
}

/** Throws a `SettingsError` that names every bad variable. */
export function parseConfig(env: Environment): Config {
  const settings = parseSettings(brokerSettings, env)
  return {
    host: settings.HOST,
    port: settings.PORT,
    metricsPort: settings.METRICS_PORT,
    logLevel: settings.LOG_LEVEL,
    ...internalConfigOf(settings),
    shutdownTimeoutMs: settings.SHUTDOWN_TIMEOUT_MS,
    httpLimits: httpLimitsOf(settings),
    redisUrl: settings.REDIS_URL,
    redisKeyPrefix: settings.REDIS_KEY_PREFIX,
    ...keysConfigOf(settings),
    textMaxBytes: settings.TEXT_MAX_BYTES,
    historySize: settings.HISTORY_SIZE,
    historyTtlMs: settings.HISTORY_TTL_MS,
    revocationTtlMs: settings.REVOCATION_TTL_MS,
    waitReplicas: settings.WAIT_REPLICAS,
    publishMaxBytes: settings.PUBLISH_MAX_BYTES,
    maxStreams: settings.MAX_STREAMS,
    streamBufferBytes: settings.STREAM_BUFFER_BYTES,
    streamHeartbeatMs: settings.STREAM_HEARTBEAT_MS,
    traces: traceConfig(settings),
  }
}
