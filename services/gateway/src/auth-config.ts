import {
  count,
  flag,
  list,
  ms,
  secretString,
  SettingsError,
  type SettingsShape,
} from '@roomcast/runtime'
import { z } from 'zod'

/** By a shared secret: whoever can check a token can make one. */
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const
/** By a key pair. There is no `none`, and no mixture: a public key must never be taken for a secret. */
const KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
const KEY_DEFAULTS: readonly string[] = ['RS256', 'ES256', 'EdDSA', 'Ed25519']

/** A secret has to be as long as the hash (RFC 7518, section 3.2): shorter ones can be guessed from one token. In bytes. */
const SECRET_MIN_BYTES: Readonly<Record<(typeof SECRET_ALGORITHMS)[number], number>> = {
  HS256: 32,
  HS384: 48,
  HS512: 64,
}

const ALGORITHMS: readonly string[] = [...SECRET_ALGORITHMS, ...KEY_ALGORITHMS]

export const authSettings = {
  AUTH_JWT_SECRET: secretString()
    .min(32, { error: 'needs 32 characters or more' })
    .optional()
    .describe(
      'Secret of HMAC-signed JSON Web Tokens, as text. With it, or with `AUTH_JWKS_URL`, every client needs a token; without both the gateway is open and a name is a claim.',
    ),
  AUTH_JWKS_URL: z
    .string()
    .refine(isPlainUrl, { error: 'must be one URL, http or https, without a user or password' })
    .optional()
    .describe('Where the public keys of tokens are, as a JSON Web Key Set. Not with a secret.'),
  AUTH_ALGORITHMS: list('algorithm', /^\w+$/, 'must be names such as RS256')
    .refine((names) => names.every((name) => ALGORITHMS.includes(name)), {
      error: `must be of ${ALGORITHMS.join(', ')}`,
    })
    .optional()
    .describe(
      'Algorithms that a token may be signed with, separated by commas. By default `HS256` with a secret, `RS256,ES256,EdDSA,Ed25519` with a key set. `none` is never accepted, nor `HS…` with a key set.',
    ),
  AUTH_ISSUER: z
    .string()
    .max(1_000)
    .optional()
    .describe("What a token's `iss` has to be. Otherwise it is not looked at."),
  AUTH_AUDIENCE: list('audience', /^.{1,1000}$/, 'must be audiences of at most 1,000 characters')
    .optional()
    .describe("What a token's `aud` has to have one of, separated by commas."),
  AUTH_CLOCK_SKEW_MS: ms(5_000, 300_000).describe(
    'How far the clocks of who makes tokens and of gateways may be apart. A token ends so much later.',
  ),
  AUTH_ROOMS_REQUIRED: flag(false).describe(
    'Whether a token has to say what `rooms` it is for. Otherwise one that does not is for all of them.',
  ),
  AUTH_TOKEN_IN_QUERY: flag(false).describe(
    'Whether `?token=` is accepted as well: for Socket.IO v2 clients, which have no `auth`. URLs end up in the logs of proxies.',
  ),
  AUTH_JWKS_CACHE_MS: ms(600_000, 86_400_000, 1_000).describe(
    'How long keys are used before they are read again, so how long a removed key may still do. While the key set is away the known ones go on.',
  ),
  AUTH_JWKS_COOLDOWN_MS: ms(10_000, 600_000, 100).describe(
    'How long after the key set was asked for it is not asked for again, whatever keys tokens name.',
  ),
  AUTH_JWKS_TIMEOUT_MS: ms(3_000, 30_000, 100).describe('How long reading the key set may take.'),
  AUTH_REFRESH_BURST: count(10, 1, 1_000).describe(
    'Tokens that one socket may send by `refresh` at once; one more a second after that.',
  ),
} satisfies SettingsShape

export interface AuthConfig {
  readonly keys:
    | { readonly kind: 'secret'; readonly secret: string }
    | {
        readonly kind: 'jwks'
        readonly url: URL
        readonly cacheMs: number
        readonly cooldownMs: number
        readonly timeoutMs: number
      }
  readonly algorithms: readonly string[]
  readonly issuer: string | undefined
  readonly audience: readonly string[] | undefined
  readonly clockSkewMs: number
  readonly areRoomsRequired: boolean
  readonly isTokenInQuery: boolean
  readonly refreshBurst: number
}

/** How tokens are judged; undefined in open mode. Throws `SettingsError` for settings that contradict each other. */
export function authConfig(
  e: Readonly<z.output<z.ZodObject<typeof authSettings>>>,
): AuthConfig | undefined {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: url } = e
  const faults: string[] = []
  if (secret === undefined && url === undefined) {
    // Whoever sets one of these believes that tokens are checked.
    for (const name of ['AUTH_ALGORITHMS', 'AUTH_ISSUER', 'AUTH_AUDIENCE'] as const)
      if (e[name] !== undefined) faults.push(`${name}: needs AUTH_JWT_SECRET or AUTH_JWKS_URL`)
    if (e.AUTH_ROOMS_REQUIRED)
      faults.push('AUTH_ROOMS_REQUIRED: needs AUTH_JWT_SECRET or AUTH_JWKS_URL')
    if (faults.length > 0) throw new SettingsError(faults)
    return undefined
  }
  if (secret !== undefined && url !== undefined)
    faults.push('AUTH_JWKS_URL: can not be set together with AUTH_JWT_SECRET')
  const isSecret = secret !== undefined
  const algorithms = e.AUTH_ALGORITHMS ?? (isSecret ? ['HS256'] : KEY_DEFAULTS)
  const fitting: readonly string[] = isSecret ? SECRET_ALGORITHMS : KEY_ALGORITHMS
  if (!algorithms.every((name) => fitting.includes(name)))
    faults.push(
      `AUTH_ALGORITHMS: with a ${isSecret ? 'secret' : 'key set'} must be of ${fitting.join(', ')}`,
    )
  if (isSecret)
    for (const name of SECRET_ALGORITHMS)
      if (algorithms.includes(name) && Buffer.byteLength(secret) < SECRET_MIN_BYTES[name])
        faults.push(`AUTH_JWT_SECRET: ${name} needs ${SECRET_MIN_BYTES[name]} bytes or more`)
  if (faults.length > 0) throw new SettingsError(faults)
  return {
    keys: isSecret
      ? { kind: 'secret', secret }
      : {
          kind: 'jwks',
          url: new URL(url ?? ''),
          cacheMs: e.AUTH_JWKS_CACHE_MS,
          cooldownMs: e.AUTH_JWKS_COOLDOWN_MS,
          timeoutMs: e.AUTH_JWKS_TIMEOUT_MS,
        },
    algorithms,
    issuer: e.AUTH_ISSUER,
    audience: e.AUTH_AUDIENCE,
    clockSkewMs: e.AUTH_CLOCK_SKEW_MS,
    areRoomsRequired: e.AUTH_ROOMS_REQUIRED,
    isTokenInQuery: e.AUTH_TOKEN_IN_QUERY,
    refreshBurst: e.AUTH_REFRESH_BURST,
  }
}

/** One that can be shown in a log. */
function isPlainUrl(text: string): boolean {
  if (!/^https?:\/\/\S+$/.test(text) || !URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username === '' && password === ''
}
