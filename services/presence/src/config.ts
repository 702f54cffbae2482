import { hostname } from 'node:os'
import { z } from 'zod'
import { dutiesOf, dutiesSettings, type DutiesConfig } from './duties-config.ts'
import { REPORT_BEAT_INTERVAL_MS } from '@roomcast/protocol'
import {
  commonSettings,
  count,
  httpLimitsOf,
  httpLimitsSettings,
  ms,
  parseSettings,
  port,
  secretList,
  type Environment,
  type HttpLimits,
  type SettingsShape,
} from '@roomcast/runtime'

/** How much longer than a lease a warm-up takes: a gateway that lost this replica tries again within it. In milliseconds. */
const WARMUP_BEYOND_LEASE_MS = 1_000

export const presenceSettings = {
  ...commonSettings,
  PORT: port(8090).describe('Port of the HTTP API, at which gateways report too.'),
  API_KEYS: secretList(16)
    .optional()
    .describe(
      'Keys, separated by commas, one of which opens the dashboard, its event stream and history, and the lists of members, as `Authorization: Bearer`. Without it they are open to everybody. Totals, gateways and rooms are open either way.',
    ),
  LEASE_MS: ms(3_000, 60_000, 2 * REPORT_BEAT_INTERVAL_MS).describe(
    'How long a gateway may be silent before what it reported is forgotten. Gateways speak once a second at least.',
  ),
  WARMUP_MS: ms(0, 600_000)
    .unwrap()
    .optional()
    .describe(
      'How long after its start presence is not ready and `/v1/scale` answers 503, so that every gateway has reported before a number is believed. Unset, `LEASE_MS` and one second more. With `GATEWAY_SELECTOR` it is ready as soon as every Pod has reported, and waits up to 10 s longer for one that has not. 0 suits a single process in which the gateways start too.',
    ),
  MAX_STREAMS: count(200, 0, 100_000).describe(
    'Event streams at a time, one for each open dashboard; over it a new one gets `busy`.',
  ),
  POD_NAME: z
    .string()
    .max(253)
    .optional()
    .describe('Name of the pod, from the downward API; else the host name and the process id.'),
  ...httpLimitsSettings,
  ...dutiesSettings,
} satisfies SettingsShape

export interface Config {
  readonly host: string
  readonly port: number
  readonly metricsPort: number
  readonly logLevel: string
  readonly internalToken: string | undefined
  /** Empty: everybody may list members and read events and history. */
  readonly apiKeys: readonly string[]
  readonly leaseMs: number
  readonly warmupMs: number
  readonly maxStreams: number
  /** Name of this replica. */
  readonly pod: string
  readonly duties: DutiesConfig
  readonly shutdownTimeoutMs: number
  readonly httpLimits: HttpLimits
}

/** Throws a `SettingsError` that names every bad variable. */
export function parseConfig(env: Environment): Config {
  const settings = parseSettings(presenceSettings, env)
  return {
    host: settings.HOST,
    port: settings.PORT,
    metricsPort: settings.METRICS_PORT,
    logLevel: settings.LOG_LEVEL,
    internalToken: settings.INTERNAL_TOKEN,
    apiKeys: settings.API_KEYS ?? [],
    leaseMs: settings.LEASE_MS,
    warmupMs: settings.WARMUP_MS ?? settings.LEASE_MS + WARMUP_BEYOND_LEASE_MS,
    maxStreams: settings.MAX_STREAMS,
    pod: settings.POD_NAME ?? `${hostname()}-${process.pid}`,
    duties: dutiesOf(settings),
    shutdownTimeoutMs: settings.SHUTDOWN_TIMEOUT_MS,
    httpLimits: httpLimitsOf(settings),
  }
}
