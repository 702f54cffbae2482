import { mintToken } from '../../services/gateway/src/auth/minting.ts'

/** By what members get in where tokens are required. */
export type Credentials =
  | { readonly kind: 'none' }
  /** One token for all: they are one user. One that has a name lets nobody join under another. */
  | { readonly kind: 'token'; readonly token: string }
  /** A token for each, made by the secret: each is a user of its own. */
  | { readonly kind: 'secret'; readonly secret: string }

/** How long a token lasts that is made here, in seconds: longer than any run. */
const LIFETIME_S = 172_800

export async function tokenFor(
  credentials: Credentials,
  user: string,
): Promise<string | undefined> {
  switch (credentials.kind) {
    case 'none':
      return undefined
    case 'token':
      return credentials.token
    case 'secret': {
      const iat = Math.floor(Date.now() / 1_000)
      return mintToken(credentials.secret, { sub: user, iat, exp: iat + LIFETIME_S })
    }
  }
}

/** Credentials as the options `--token` and `--jwt-secret` say; undefined when both are given. */
export function credentialsOf(
  token: string | undefined,
  secret: string | undefined,
): Credentials | undefined {
  if (token !== undefined && secret !== undefined) return undefined
  if (token !== undefined) return { kind: 'token', token }
  return secret === undefined ? { kind: 'none' } : { kind: 'secret', secret }
}
