import { INTERNAL_TOKEN_HEADER } from '@roomcast/protocol'
import type { IncomingHttpHeaders } from 'node:http'
import { digestOf, indexOfSecret, secretLines, SecretsFault } from './secrets.ts'

/** Characters of a token: what is shorter can be guessed. */
const TOKEN_MIN_CHARS = 16
const TOKEN_MAX_CHARS = 1_024
/** Tokens that are accepted at a time: the present one, those before it, and the one that comes. */
const TOKENS_MAX = 8

const TOKEN = new RegExp(`^[\\x20-\\x7e]{${TOKEN_MIN_CHARS},${TOKEN_MAX_CHARS}}$`)

/** The tokens of a text, one a line. Throws `SecretsFault`. */
export function parseTokens(text: string): readonly string[] {
  const tokens = secretLines(text, 'token', TOKENS_MAX)
  if (!tokens.every((token) => TOKEN.test(token))) {
    throw new SecretsFault(
      `each token needs ${TOKEN_MIN_CHARS} to ${TOKEN_MAX_CHARS} printable ASCII characters`,
    )
  }
  return tokens
}

/** What is known of a caller: the address of its TCP connection, whatever a header says, and the token that it presents. */
export interface Caller {
  readonly address: string | undefined
  readonly token: string | undefined
}

/** By what the services know each other. Current at every call: tokens may be replaced while a service runs. */
export interface InternalAccess {
  /** Whether a caller may use internal endpoints: by any of the tokens when there are some, else from this machine alone. */
  admits(caller: Caller): boolean
  /** The headers of a request to another service: the first token. */
  headers(): Readonly<Record<string, string>>
  /** Keys for what services derive from their common secret, the one to use first; none without a token. */
  tokens(): readonly string[]
}

export function createInternalAccess(tokens: () => readonly string[]): InternalAccess {
  let digested: readonly string[] = []
  let digests: readonly Buffer[] = []
  const digestsOf = (current: readonly string[]): readonly Buffer[] => {
    if (current !== digested) {
      digests = current.map(digestOf)
      digested = current
    }
    return digests
  }
  return {
    admits({ address, token }) {
      const current = tokens()
      if (current.length === 0) return isLoopback(address)
      return token !== undefined && indexOfSecret(digestsOf(current), token) !== -1
    },
    headers() {
      const [token] = tokens()
      return token === undefined ? {} : { [INTERNAL_TOKEN_HEADER]: token }
    },
    tokens,
  }
}

/** The caller of a request. What a proxy says of its own callers (`X-Forwarded-For`) is not looked at: anybody can write it. */
export function callerOf(
  headers: IncomingHttpHeaders,
  socket: { readonly remoteAddress?: string | undefined },
): Caller {
  const token = headers[INTERNAL_TOKEN_HEADER]
  return { address: socket.remoteAddress, token: typeof token === 'string' ? token : undefined }
}

/** Whether an address is of the loopback interface, also in IPv6 form. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  const v4 = address.startsWith('::ffff:') ? address.slice(7) : address
  return v4.startsWith('127.') || address === '::1'
}
