import { TEXT_MAX_BYTES } from '@roomcast/protocol'
import { z } from 'zod'

/** Environment variables by name. An empty string counts as not set: templates write those. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The settings of a service: a zod object whose keys are the variables' names and whose descriptions are their documentation. */
export type SettingsShape = Readonly<Record<string, z.ZodType>>

/** Marks a setting whose value is never shown. */
export const secret = z.registry<{ secret: true }>()

/** Every fault of an environment, one line each, by variable. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

/**
 * Reads the settings from the environment. Throws one `SettingsError` that names every bad variable, so that an operator
 * mends a values file in one go. Values are not repeated in faults: they may be secrets.
 */
export function parseSettings<S extends SettingsShape>(
  shape: S,
  env: Environment,
): z.output<z.ZodObject<S>> {
  const given = Object.fromEntries(
    Object.keys(shape).flatMap((name) => {
      const value = env[name]
      return value === undefined || value.trim() === '' ? [] : [[name, value.trim()]]
    }),
  )
  const parsed = z.object(shape).safeParse(given)
  if (parsed.success) return parsed.data
  throw new SettingsError(
    parsed.error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`),
  )
}

function wholeNumber(min: number, max: number, unit: string) {
  const error = `must be a whole number from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}`
  return z
    .string({ error: 'is required' })
    .regex(/^\d+$/, { error })
    .transform(Number)
    .pipe(z.number().min(min, { error }).max(max, { error }))
}

/** A count of something. */
export function count(fallback: number, min: number, max: number) {
  return wholeNumber(min, max, '').default(fallback)
}

/** A duration in milliseconds. */
export function ms(fallback: number, max: number, min = 0) {
  return wholeNumber(min, max, 'milliseconds').default(fallback)
}

/** A size in bytes. */
export function bytes(fallback: number, min: number, max: number) {
  return wholeNumber(min, max, 'bytes').default(fallback)
}

/** A TCP port; 0 lets the system choose. */
export function port(fallback: number) {
  return wholeNumber(0, 65_535, 'a port').default(fallback)
}

export function flag(fallback: boolean) {
  return z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform((value) => value === 'true')
    .default(fallback)
}

/** A list, separated by commas. */
export function list(what: string, item: RegExp, hint: string) {
  return z
    .string({ error: 'is required' })
    .transform((value) =>
      value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .refine((items) => items.length > 0, { error: `must name at least one ${what}` })
    .refine((items) => items.every((part) => item.test(part)), { error: hint })
}

/** One or more base URLs of a service, or one whose host resolves to every replica (a headless Service). */
export function urls(schemes: readonly string[]) {
  const hint = `must be one or more URLs that begin with ${schemes.map((s) => `${s}://`).join(' or ')}, separated by commas`
  return list('URL', new RegExp(`^(${schemes.join('|')})://\\S+$`), hint).refine(
    (items) => items.every((item) => URL.canParse(item)),
    { error: hint },
  )
}

const REDIS_HINT =
  'must be redis://host:port, rediss://…, redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/name'

/** Where Redis or Valkey is, in a form that `parse` (of the roomlog package) takes without throwing. */
function redisUrl(parse: (url: string) => unknown) {
  return secretString().refine(
    (url) => {
      try {
        parse(url)
        return true
      } catch {
        // What is wrong with it would repeat a part of it, and it may hold a password.
        return false
      }
    },
    { error: REDIS_HINT },
  )
}

/** A value that no log shows. */
export function secretString() {
  return z.string({ error: 'is required' }).register(secret, { secret: true })
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** What the services that use the room logs have; the same for all of them. `parse` is `parseRedisUrl` of the roomlog package. */
export function roomLogSettings(parse: (url: string) => unknown) {
  return {
    REDIS_URL: redisUrl(parse).describe(
      'Redis or Valkey that holds the room logs: `redis://`, `rediss://`, `redis+cluster://` or `redis+sentinel://`.',
    ),
    REDIS_KEY_PREFIX: z
      .string()
      .regex(/^[\w-]{1,64}$/, { error: 'must be 1 to 64 letters, digits, _ or -' })
      .default('roomcast')
      .describe('Begins every key in Redis. The same for gateways and brokers.'),
    TEXT_MAX_BYTES: bytes(TEXT_MAX_BYTES, 1, 1_048_576).describe(
      "UTF-8 bytes of a message's text. The same for gateways and brokers.",
    ),
  } satisfies SettingsShape
}

/** What every daemon has. */
export const commonSettings = {
  HOST: z
    .string()
    .default('0.0.0.0')
    .describe('Address to listen on, for `PORT` and `METRICS_PORT`.'),
  METRICS_PORT: port(9464).describe('Port of `/metrics`, `/livez` and `/readyz`.'),
  LOG_LEVEL: z
    .enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` })
    .default('info')
    .describe('Least severe log line that is written.'),
  SHUTDOWN_TIMEOUT_MS: ms(30_000, 3_600_000, 1).describe(
    'How long an orderly end may take after SIGTERM before the process ends with status 1.',
  ),
} satisfies SettingsShape

/** The settings for a log line: secrets as `***`. */
export function shownSettings(
  shape: SettingsShape,
  settings: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, isSecret(shape[name]) ? '***' : value]),
  )
}

/** Whether a setting, or what it wraps (`optional`, `default`), is marked as secret. */
export function isSecret(schema: z.ZodType | undefined): boolean {
  for (let type: z.ZodType | undefined = schema; type !== undefined;) {
    if (secret.get(type)?.secret === true) return true
    type =
      type instanceof z.ZodOptional || type instanceof z.ZodDefault
        ? (type.unwrap() as z.ZodType)
        : type instanceof z.ZodPipe
          ? (type.in as z.ZodType)
          : undefined
  }
  return false
}
