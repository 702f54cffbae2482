import { mintToken } from '../../services/gateway/src/auth/minting.ts'
import { tokenByCommand } from './token-command.ts'

/** By what members get in where tokens are required. */
export type Credentials =
  | { readonly kind: 'none' }
  /** One token for all: they are one user. One that has a name lets nobody join under another. */
  | { readonly kind: 'token'; readonly token: string }
  /** A token for each, made by the secret: each is a user of its own. */
  | { readonly kind: 'secret'; readonly secret: string }
  /** A token for each, printed by a shell command: see `tokenByCommand`. */
  | { readonly kind: 'command'; readonly command: string }

/** How long a token lasts that is made here, in seconds: longer than any run. */
const LIFETIME_S = 172_800

/** The token of a user; undefined where there are none. Rejects when the command that prints it fails. */
export async function tokenFor(
  credentials: Credentials,
  user: string,
): Promise<string | undefined> {
  switch (credentials.kind) {
    case 'none':
      return undefined
    case 'token':
      return credentials.token
    case 'command':
      return tokenByCommand(credentials.command, user)
    case 'secret': {
      const iat = Math.floor(Date.now() / 1_000)
      return mintToken(credentials.secret, { sub: user, iat, exp: iat + LIFETIME_S })
    }
  }
}

/** Credentials as the options `--token`, `--jwt-secret` and `--token-command` say; undefined when more than one is given. */
export function credentialsOf({
  token,
  secret,
  command,
}: {
  readonly token?: string | undefined
  readonly secret?: string | undefined
  readonly command?: string | undefined
}): Credentials | undefined {
  const given: Credentials[] = []
  if (token !== undefined) given.push({ kind: 'token', token })
  if (secret !== undefined) given.push({ kind: 'secret', secret })
  if (command !== undefined) given.push({ kind: 'command', command })
  return given.length > 1 ? undefined : (given[0] ?? { kind: 'none' })
}
