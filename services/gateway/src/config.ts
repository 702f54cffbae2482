import { hostname } from 'node:os'
import { MAX_PAYLOAD_BYTES } from '@roomcast/protocol'
import { parseRedisUrl } from '@roomcast/roomlog'
import {
  bytes,
  commonSettings,
  count,
  flag,
  ms,
  parseSettings,
  port,
  roomLogSettings,
  urls,
  type Environment,
  type SettingsShape,
} from '@roomcast/runtime'
import { z } from 'zod'
import { limitsOf, limitsSettings, type LimitsConfig } from './limits-config.ts'

export const gatewaySettings = {
  ...commonSettings,
  ...roomLogSettings(parseRedisUrl),
  PORT: port(8080).describe('Port for Socket.IO and the chat page.'),
  BROKER_URL: urls(['http', 'https']).describe(
    'Base URLs of the brokers, separated by commas, or one whose host resolves to every replica.',
  ),
  PRESENCE_URL: urls(['http', 'https']).describe('The same for presence.'),
  ADVERTISE_ADDRESS: z
    .string()
    .regex(/^\S+:\d{1,5}$/, { error: 'must be host:port' })
    .optional()
    .describe(
      '`host:port` at which other gateways reach this one. Otherwise `POD_IP`, or 127.0.0.1, and `PORT`.',
    ),
  POD_IP: z.string().optional().describe('Address of the pod, from the downward API.'),
  POD_NAME: z
    .string()
    .max(253)
    .optional()
    .describe('Name of the pod, from the downward API; else the host name and the process id.'),
  ALLOW_EIO3: flag(true).describe('Whether Socket.IO v2 clients are accepted.'),
  PING_INTERVAL_MS: ms(25_000, 3_600_000, 100).describe('How often each connection is pinged.'),
  PING_TIMEOUT_MS: ms(20_000, 3_600_000, 100).describe(
    'How long the answer to a ping may take before the connection counts as broken.',
  ),
  MAX_PAYLOAD_BYTES: bytes(MAX_PAYLOAD_BYTES, 1_024, 16_777_216).describe(
    'Largest packet or polling body; a connection that sends a larger one is closed.',
  ),
  SAY_RATE_PER_SECOND: count(20, 1, 1_000_000).describe(
    'Messages a second that one socket may send for long; over it `say` gets `rate_limited`.',
  ),
  SAY_BURST: count(40, 1, 1_000_000).describe(
    'Messages that one socket may send at once after a pause.',
  ),
  NOTICE_MAX_MEMBERS: count(500, 0, 1_000_000).describe(
    'In a room with more members joins and quits are not announced: notices cost the square of the members.',
  ),
  QUIT_GRACE_MS: ms(5_000, 600_000).describe(
    'How long the quit of a member whose connection broke is held back, so that a short drop makes no noise.',
  ),
  RECOVERY_WINDOW_MS: ms(120_000, 86_400_000, 1_000).describe(
    'How long a member whose connection broke can at least come back as the same one, with all that was said meanwhile; at most twice as long.',
  ),
  RECOVERY_MAX_MESSAGES: count(1_000, 0, 1_000_000).describe(
    'Missed messages that are sent to one who comes back; one who missed more joins anew.',
  ),
  DRAIN_PROPAGATION_MS: ms(5_000, 600_000).describe(
    'How long after SIGTERM connections stay as they are, while the load balancers learn that this gateway takes no new ones.',
  ),
  DRAIN_SPREAD_MS: ms(20_000, 3_600_000).describe(
    'Over how long a gateway that ends closes its connections, one after another. 0 closes them at once, and announces at once those who do not come back.',
  ),
  SHUTDOWN_TIMEOUT_MS: ms(45_000, 3_600_000, 1).describe(
    'How long an orderly end may take after SIGTERM before the process ends with status 1: longer than `DRAIN_PROPAGATION_MS`, `DRAIN_SPREAD_MS` and `QUIT_GRACE_MS` together.',
  ),
  AFFINITY_COOKIE: z
    .string()
    .regex(/^[\w-]{1,64}(;[^\r\n]*)?$/, {
      error: 'must be the name of a cookie, with its attributes if it has any',
    })
    .optional()
    .describe(
      'Name of the cookie by which the ingress keeps a client at one gateway, with its attributes, such as `roomcast; Path=/`. A gateway that ends, or sends connections elsewhere, takes it back, so that clients are not led to it again.',
    ),
  FANOUT_REST: count(8, 0, 1_000).describe(
    'How many times as long as telling a room took, the room rests before it is told again. More saves CPU in large busy rooms and adds delay there. 0 turns it off.',
  ),
  FANOUT_MAX_DELAY_MS: ms(25, 1_000).describe(
    'The longest such rest: what it may add to the delay of a message. 0 turns it off.',
  ),
  SLOW_CLIENT_BYTES: bytes(1_048_576, 16_384, 1_073_741_824).describe(
    'Unsent bytes that a connection may have; over it the connection is ended.',
  ),
  OUTBOX_MAX_MESSAGES: count(10_000, 1, 10_000_000).describe(
    'Messages that may wait for a broker; over it `say` gets `busy`.',
  ),
  OUTBOX_MAX_BYTES: bytes(16_777_216, 65_536, 4_294_967_296).describe('The same in bytes.'),
  OUTBOX_REST_MS: ms(10, 1_000).describe(
    'How long after a request to a broker the messages of other rooms wait, so that they go together. 0 sends each at once.',
  ),
  ...limitsSettings,
} satisfies SettingsShape

export interface Config {
  readonly host: string
  readonly port: number
  readonly metricsPort: number
  readonly logLevel: string
  readonly internalToken: string | undefined
  readonly shutdownTimeoutMs: number
  readonly redisUrl: string
  readonly redisKeyPrefix: string
  readonly brokerUrls: readonly string[]
  readonly presenceUrls: readonly string[]
  /** `host:port`; undefined: 127.0.0.1 and the port that was opened. */
  readonly advertiseHost: string
  readonly advertiseAddress: string | undefined
  readonly pod: string
  readonly allowEio3: boolean
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
  readonly maxPayloadBytes: number
  readonly textMaxBytes: number
  readonly sayRatePerSecond: number
  readonly sayBurst: number
  readonly noticeMaxMembers: number
  readonly quitGraceMs: number
  readonly recoveryWindowMs: number
  readonly recoveryMaxMessages: number
  readonly drainPropagationMs: number
  readonly drainSpreadMs: number
  readonly affinityCookie: string | undefined
  readonly fanoutRest: number
  readonly fanoutMaxDelayMs: number
  readonly slowClientBytes: number
  readonly outboxMaxMessages: number
  readonly outboxMaxBytes: number
  readonly outboxRestMs: number
  readonly limits: LimitsConfig
}

/** Throws `SettingsError` with every fault at once. */
export function parseConfig(env: Environment): Config {
  const e = parseSettings(gatewaySettings, env)
  return {
    host: e.HOST,
    port: e.PORT,
    metricsPort: e.METRICS_PORT,
    logLevel: e.LOG_LEVEL,
    internalToken: e.INTERNAL_TOKEN,
    shutdownTimeoutMs: e.SHUTDOWN_TIMEOUT_MS,
    redisUrl: e.REDIS_URL,
    redisKeyPrefix: e.REDIS_KEY_PREFIX,
    brokerUrls: e.BROKER_URL,
    presenceUrls: e.PRESENCE_URL,
    advertiseHost: e.POD_IP ?? '127.0.0.1',
    advertiseAddress: e.ADVERTISE_ADDRESS,
    pod: e.POD_NAME ?? `${hostname()}-${process.pid}`,
    allowEio3: e.ALLOW_EIO3,
    pingIntervalMs: e.PING_INTERVAL_MS,
    pingTimeoutMs: e.PING_TIMEOUT_MS,
    maxPayloadBytes: e.MAX_PAYLOAD_BYTES,
    textMaxBytes: e.TEXT_MAX_BYTES,
    sayRatePerSecond: e.SAY_RATE_PER_SECOND,
    sayBurst: e.SAY_BURST,
    noticeMaxMembers: e.NOTICE_MAX_MEMBERS,
    quitGraceMs: e.QUIT_GRACE_MS,
    recoveryWindowMs: e.RECOVERY_WINDOW_MS,
    recoveryMaxMessages: e.RECOVERY_MAX_MESSAGES,
    drainPropagationMs: e.DRAIN_PROPAGATION_MS,
    drainSpreadMs: e.DRAIN_SPREAD_MS,
    affinityCookie: e.AFFINITY_COOKIE,
    fanoutRest: e.FANOUT_REST,
    fanoutMaxDelayMs: e.FANOUT_MAX_DELAY_MS,
    slowClientBytes: e.SLOW_CLIENT_BYTES,
    outboxMaxMessages: e.OUTBOX_MAX_MESSAGES,
    outboxMaxBytes: e.OUTBOX_MAX_BYTES,
    outboxRestMs: e.OUTBOX_REST_MS,
    limits: limitsOf(e),
  }
}
