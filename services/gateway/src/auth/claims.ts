import { MemberName } from '@roomcast/protocol'
import { z } from 'zod'
import type { Identity } from '../identity.ts'
import { EVERY_ROOM, rightsOf } from './room-rights.ts'

/** Characters of a `sub`. */
const SUB_MAX_CHARS = 128
/** Rules of one token. */
export const ROOM_RULES_MAX = 100
/** Characters of a pattern. */
const PATTERN_MAX_CHARS = 256

const CONTROL = /\p{Cc}/u

/** No control characters: it begins the keys of messages, up to a line feed. */
const User = z
  .string({ error: '"sub" must be a string' })
  .min(1, { error: '"sub" must not be empty' })
  .max(SUB_MAX_CHARS, { error: `"sub" must have at most ${SUB_MAX_CHARS} characters` })
  .refine((sub) => sub.isWellFormed() && !CONTROL.test(sub), {
    error: '"sub" must not have control characters',
  })

const RULE = '"rooms" must be a list of {pattern, read, write}'

/** Nothing is taken for granted in a rule: one that is misspelt must not open a room. */
const Rule = z.strictObject(
  {
    // As room ids are.
    pattern: z
      .string({ error: RULE })
      .min(1, { error: RULE })
      .max(PATTERN_MAX_CHARS, {
        error: `a pattern must have at most ${PATTERN_MAX_CHARS} characters`,
      })
      .transform((pattern) => pattern.normalize('NFC')),
    read: z.boolean({ error: RULE }),
    write: z.boolean({ error: RULE }),
  },
  { error: RULE },
)

/** Seconds since 1970. */
const NumericDate = z.number({ error: '"exp" and "iat" must be numbers' })

const Claims = z.object({
  sub: User,
  name: MemberName.optional(),
  rooms: z
    .array(Rule, { error: RULE })
    .max(ROOM_RULES_MAX, { error: `"rooms" must have at most ${ROOM_RULES_MAX} rules` })
    .optional(),
  exp: NumericDate.optional(),
  iat: NumericDate.optional(),
})

/** Who the claims of a checked token name, or what is wrong with them, in words for their holder. */
export function readClaims(
  claims: unknown,
  { areRoomsRequired }: { readonly areRoomsRequired: boolean },
): Identity | string {
  const parsed = Claims.safeParse(claims)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return issue?.path[0] === 'name'
      ? `"name" can not be a member's name: ${issue.message}`
      : (issue?.message ?? 'not valid')
  }
  const { sub, name, rooms, exp, iat } = parsed.data
  if (rooms === undefined && areRoomsRequired) return '"rooms" is missing'
  const { mayRead, mayWrite } = rooms === undefined ? EVERY_ROOM : rightsOf(rooms)
  return {
    user: sub,
    name,
    expiresAt: exp === undefined ? undefined : exp * 1_000,
    issuedAt: iat === undefined ? undefined : iat * 1_000,
    mayRead,
    mayWrite,
  }
}
