import { createSecretKey } from 'node:crypto'
import { SignJWT } from 'jose'
import type { RoomRule } from './room-rights.ts'

/** What a token says. Its times are in seconds since 1970, as in the token. */
export interface TokenClaims {
  readonly sub: string
  readonly name?: string
  readonly rooms?: readonly RoomRule[]
  readonly iss?: string
  readonly aud?: string
  readonly iat?: number
  readonly nbf?: number
  readonly exp?: number
}

/** Makes a token by a shared secret: for those who try an installation out, never for a gateway, which only checks. */
export function mintToken(
  secret: string,
  claims: TokenClaims,
  algorithm: 'HS256' | 'HS384' | 'HS512' = 'HS256',
): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: algorithm })
    .sign(createSecretKey(Buffer.from(secret)))
}
