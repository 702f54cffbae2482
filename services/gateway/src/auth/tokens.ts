import { createSecretKey } from 'node:crypto'
import { errors, jwtVerify, type JWTVerifyGetKey, type KeyObject } from 'jose'
import type { AuthConfig } from '../auth-config.ts'
import type { Identity } from '../identity.ts'
import { readClaims } from './claims.ts'
import { KeysUnavailable } from './jwks.ts'

/** Longest token that is looked at, in characters. */
export const TOKEN_MAX_CHARS = 8_192

/** How the look at a token ended, as a closed set. */
export const AUTH_RESULTS = [
  'accepted',
  'missing',
  'malformed',
  /** Signed by an algorithm that is not accepted. */
  'algorithm',
  'signature',
  /** Signed by a key that the key set does not have. */
  'unknown_key',
  'expired',
  /** Issuer, audience, subject, or anything else that it says. */
  'claims',
  /** A moderator ended its user's connections after it was issued. */
  'revoked',
  /** A good one that is not for this room. */
  'forbidden',
  /** The key set is away. */
  'unavailable',
] as const
export type AuthResult = (typeof AUTH_RESULTS)[number]

export type Verdict =
  | { readonly result: 'accepted'; readonly identity: Identity }
  /** For good: the same token is refused again. `message` is for its holder. */
  | {
      readonly result: Exclude<AuthResult, 'accepted' | 'unavailable'>
      readonly message: string
    }
  /** For now. */
  | { readonly result: 'unavailable' }

export interface Tokens {
  /** Checks signature, algorithm, times, issuer and audience, and reads who it names. Never rejects. */
  judge(token: unknown): Promise<Verdict>
}

export function createTokens(
  config: AuthConfig,
  { keyFor, now }: { readonly keyFor: JWTVerifyGetKey | undefined; readonly now: () => number },
): Tokens {
  const { keys, algorithms, issuer, audience, clockSkewMs, areRoomsRequired } = config
  const options = {
    algorithms: [...algorithms],
    // In whole seconds, rounded up: to the millisecond it is looked at below.
    clockTolerance: Math.ceil(clockSkewMs / 1_000),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience: [...audience] }),
  }
  const key: KeyObject | undefined =
    keys.kind === 'secret' ? createSecretKey(Buffer.from(keys.secret)) : undefined

  const verify = async (token: string): Promise<unknown> => {
    const at = { ...options, currentDate: new Date(now()) }
    if (key !== undefined) return (await jwtVerify(token, key, at)).payload
    if (keyFor === undefined) throw new KeysUnavailable('there is no key set')
    return (await jwtVerify(token, keyFor, at)).payload
  }

  return {
    async judge(token) {
      if (token === undefined || token === null || token === '')
        return { result: 'missing', message: 'auth.token is missing' }
      if (typeof token !== 'string' || token.length > TOKEN_MAX_CHARS)
        return {
          result: 'malformed',
          message: `auth.token must be a string of at most ${TOKEN_MAX_CHARS} characters`,
        }
      let claims
      try {
        claims = await verify(token)
      } catch (error) {
        return refusalFor(error)
      }
      const identity = readClaims(claims, { areRoomsRequired })
      if (typeof identity === 'string')
        return { result: 'claims', message: `the token is not accepted: ${identity}` }
      if (identity.expiresAt !== undefined && now() >= identity.expiresAt + clockSkewMs)
        return EXPIRED
      return { result: 'accepted', identity }
    },
  }
}

const EXPIRED = { result: 'expired', message: 'the token has expired' } as const

function refusalFor(error: unknown): Exclude<Verdict, { result: 'accepted' }> {
  if (error instanceof KeysUnavailable) return { result: 'unavailable' }
  if (error instanceof errors.JWTExpired) return EXPIRED
  if (error instanceof errors.JWTClaimValidationFailed)
    return { result: 'claims', message: `the token is not accepted for its "${error.claim}"` }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return { result: 'algorithm', message: 'the algorithm of the token is not accepted' }
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return { result: 'signature', message: 'the signature of the token is wrong' }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return { result: 'unknown_key', message: 'the key of the token is not known' }
  return { result: 'malformed', message: 'the token is not a signed JSON Web Token' }
}
