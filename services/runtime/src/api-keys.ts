import { matchesRoom, RoomPattern } from '@roomcast/protocol'
import { z } from 'zod'
import { digestOf, indexOfSecret, SecretsFault, type Digest } from './secrets.ts'

/** What a key may do with the HTTP APIs. */
export const SCOPES = [
  /** Publish messages. */
  'publish',
  /** Read messages: a page, a long poll, a stream. */
  'read',
  /** Delete all messages of a room. */
  'delete',
  /** Act on people and on single messages: kick, ban, delete what one said, end a user's connections. */
  'moderate',
  /** List the members of a room, who are people. */
  'members',
  /** See the figures: the dashboard, its events and history, totals, gateways, rooms. */
  'stats',
] as const
export type Scope = (typeof SCOPES)[number]

/** Characters of a key: what is shorter can be guessed, what is longer is no header. */
const KEY_MIN_CHARS = 16
const KEY_MAX_CHARS = 1_024
/** Keys of one service. Each is compared with what every caller presents. */
export const KEYS_MAX = 1_000

const Key = z
  .string({ error: 'key must be a string' })
  .regex(new RegExp(`^[\\x21-\\x7e]{${KEY_MIN_CHARS},${KEY_MAX_CHARS}}$`), {
    error: `each key needs ${KEY_MIN_CHARS} to ${KEY_MAX_CHARS} printable ASCII characters, and no space`,
  })

/** One key as it is written down. */
export const KeyEntry = z.strictObject({
  id: z
    .string({ error: 'id must be a string' })
    .regex(/^[\w.-]{1,64}$/, { error: 'id must be 1 to 64 letters, digits, _, . or -' }),
  key: Key,
  scopes: z
    .array(z.enum(SCOPES, { error: `scopes must be among ${SCOPES.join(', ')}` }), {
      error: 'scopes must be a list',
    })
    .min(1, { error: 'scopes must name at least one' }),
  rooms: z
    .array(RoomPattern, { error: 'rooms must be a list' })
    .min(1, { error: 'rooms must name at least one' })
    .max(100, { error: 'rooms must have at most 100 patterns' })
    .optional(),
})
export type KeyEntry = z.infer<typeof KeyEntry>

const KeyList = z
  .array(KeyEntry, { error: 'must be a list of keys' })
  .min(1, { error: 'must have at least one key' })
  .max(KEYS_MAX, { error: `must have at most ${KEYS_MAX} keys` })
  .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    error: 'two keys have the same id',
  })
  .refine((keys) => new Set(keys.map(({ key }) => key)).size === keys.length, {
    error: 'a key is there twice',
  })

/**
 * The keys of a text in one of two forms: keys separated by commas or line breaks, each of which may do everything, or, when it begins
 * with `[`, a JSON list of `{id, key, scopes, rooms?}`. Keys without an id are called `key-1`, `key-2` and so on, by their place.
 * Throws `SecretsFault`.
 */
export function parseKeys(text: string): readonly KeyEntry[] {
  const trimmed = text.trim()
  const parsed = KeyList.safeParse(trimmed.startsWith('[') ? jsonOf(trimmed) : plainKeys(trimmed))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const [place, field] = issue?.path ?? []
  const where = typeof place === 'number' ? `key ${place + 1}: ` : ''
  const isUnknown = issue?.code === 'unrecognized_keys'
  throw new SecretsFault(
    where +
      (isUnknown
        ? 'has a field beyond id, key, scopes and rooms'
        : (issue?.message ?? `${String(field)} is not valid`)),
  )
}

function plainKeys(text: string): unknown {
  const keys = text
    .split(/[,\r\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
  return keys.map((key, i) => ({ id: `key-${i + 1}`, key, scopes: SCOPES }))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own words quote the text.
    throw new SecretsFault('is not valid JSON')
  }
}

/** One key as it is kept: its digest instead of itself. */
export interface ApiKey {
  /** Its name, for logs and audits. */
  readonly id: string
  readonly scopes: ReadonlySet<Scope>
  /** Undefined: every room. */
  readonly rooms: readonly RoomPattern[] | undefined
}

/** Keys that callers may present. */
export interface ApiKeys {
  readonly count: number
  /** The key that was presented, in a time that tells nothing about the others. */
  find(presented: string): ApiKey | undefined
}

export function createApiKeys(entries: readonly KeyEntry[]): ApiKeys {
  const digests: readonly Digest[] = entries.map(({ key }) => digestOf(key))
  const keys = entries.map(({ id, scopes, rooms }): ApiKey => ({
    id,
    scopes: new Set(scopes),
    rooms,
  }))
  return {
    count: keys.length,
    find: (presented) => keys[indexOfSecret(digests, presented)],
  }
}

/** Whether a key is for a room. */
export function mayUseRoom(
  { rooms }: { readonly rooms?: readonly RoomPattern[] | undefined },
  room: string,
): boolean {
  return rooms === undefined || rooms.some((pattern) => matchesRoom(pattern, room))
}
