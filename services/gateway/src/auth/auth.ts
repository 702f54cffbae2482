import { AsyncLocalStorage } from 'node:async_hooks'
import { ClientError, ROOMS_PER_CONNECTION_MAX, type ErrorCode } from '@roomcast/protocol'
import type { Log, Telemetry } from '@roomcast/runtime'
import type { AuthConfig } from '../auth-config.ts'
import { onCreation } from '../engine/creation.ts'
import { identify, identityOf, type Identity } from '../identity.ts'
import { destinationOf, type ChatServer, type ChatSocket } from '../sockets.ts'
import { createAuthFacts } from './auth-facts.ts'
import { createExpiries } from './expiries.ts'
import { createKeySet } from './jwks.ts'
import { refusalOfRevocation, type RevocationWatch } from '../revocations.ts'
import { createTokens, type AuthResult, type Verdict } from './tokens.ts'

/** Tokens of one connection that are judged at a time: one for each room that it may have. Over it the connection is closed. */
const JUDGED_AT_ONCE_MAX = ROOMS_PER_CONNECTION_MAX

/** Tokens of connections, where they are required. */
export interface Auth {
  /**
   * Judges the token of every CONNECT, before a session is restored for it: whoever has no good one gets none. Tokens do not stay on
   * sockets.
   */
  guard(io: ChatServer): void
  /** Whom the session that is being restored is for. */
  restoringFor(): Identity | undefined
  /**
   * Whether a socket may enter, `later` when that can not be told right now. An error is the answer to its client, who takes it as
   * final.
   */
  admit(socket: ChatSocket): 'admitted' | 'later' | Error
  /** Ends a socket's connection when its token ends. */
  watch(socket: ChatSocket): void
  unwatch(socket: ChatSocket): void
  /**
   * Gives a socket the identity of a new token. Rejects with `ClientError`: `unauthorized`, `revoked`, `forbidden` when it names another
   * user, `unavailable`; then nothing has changed.
   */
  refresh(socket: ChatSocket, token: unknown): Promise<Identity>
  /** False until the keys were read once. */
  isReady(): boolean
  close(): void
}

export function createAuth(
  config: AuthConfig,
  {
    telemetry,
    log,
    now,
    clock,
    revocations,
    expire,
  }: {
    readonly telemetry: Telemetry
    readonly log: Log
    readonly now: () => number
    /** For durations. */
    readonly clock: () => number
    readonly revocations: () => Pick<RevocationWatch, 'judge'>
    /** Is called for a socket whose token has ended. */
    readonly expire: (socket: ChatSocket) => void
  },
): Auth {
  const facts = createAuthFacts(telemetry)
  const { keys } = config
  const keySet =
    keys.kind === 'secret'
      ? undefined
      : createKeySet({
          ...keys,
          now: clock,
          onRead: (error) => {
            facts.keysRead(error === undefined)
            if (error !== undefined) log.warn({ err: error }, 'the key set could not be read')
          },
        })
  const tokens = createTokens(config, { keyFor: keySet?.keyFor, now })
  const expiries = createExpiries<ChatSocket>({ now, expire })
  const restoring = new AsyncLocalStorage<Identity>()
  /** What waits for the middlewares of a socket. */
  const verdicts = new WeakMap<ChatSocket, Verdict>()
  /** Tokens of a connection that are being judged. */
  const judging = new WeakMap<object, number>()

  const tokenIn = (
    auth: Readonly<Record<string, unknown>>,
    query: Readonly<Record<string, unknown>>,
  ): unknown => auth['token'] ?? (config.isTokenInQuery ? query['token'] : undefined)

  const judge = async (token: unknown, connection: object): Promise<Verdict> => {
    const others = judging.get(connection) ?? 0
    if (others >= JUDGED_AT_ONCE_MAX) return { result: 'unavailable' }
    judging.set(connection, others + 1)
    const verdict = await tokens.judge(token)
    judging.set(connection, (judging.get(connection) ?? 1) - 1)
    return verdict.result === 'accepted' ? unlessRevoked(verdict) : verdict
  }

  /** A good token may be of before its user's connections were ended. */
  const unlessRevoked = (verdict: Extract<Verdict, { result: 'accepted' }>): Verdict => {
    const judged = revocations().judge(verdict.identity)
    if (judged === 'admitted') return verdict
    return judged === 'unknown'
      ? { result: 'unavailable' }
      : { result: 'revoked', message: refusalOfRevocation(undefined).message }
  }

  const endOf = ({ expiresAt }: Identity): number | undefined =>
    expiresAt === undefined ? undefined : expiresAt + config.clockSkewMs

  return {
    guard(io) {
      onCreation(io, async ({ auth, query, connection, isOpen }, make) => {
        const { token: _token, pid, offset, ...rest } = auth
        const verdict = await judge(tokenIn(auth, query), connection)
        const socket =
          verdict.result === 'accepted' && isOpen()
            ? await restoring.run(verdict.identity, () => make({ ...rest, pid, offset }))
            : await make(rest)
        verdicts.set(socket, verdict)
        return socket
      })
    },
    restoringFor: () => restoring.getStore(),
    admit(socket) {
      const earlier = verdicts.get(socket)
      verdicts.delete(socket)
      if (earlier === undefined) throw new Error('a socket whose token nobody judged')
      // While its session was restored the user may have been ended, which does not see sockets that have not entered yet.
      const verdict = earlier.result === 'accepted' ? unlessRevoked(earlier) : earlier
      if (verdict.result === 'unavailable') {
        facts.judged('unavailable')
        return 'later'
      }
      if (verdict.result !== 'accepted') {
        facts.judged(verdict.result)
        return refusal(codeOf(verdict.result), verdict.message)
      }
      const { identity } = verdict
      const destination = destinationOf(socket)
      if (destination.kind === 'room' && !identity.mayRead(destination.room)) {
        facts.judged('forbidden')
        return refusal('forbidden', 'the token is not for this room')
      }
      facts.judged('accepted')
      identify(socket, identity)
      return 'admitted'
    },
    watch(socket) {
      const identity = identityOf(socket)
      if (identity !== undefined) expiries.set(socket, endOf(identity))
    },
    unwatch: (socket) => expiries.delete(socket),
    async refresh(socket, token) {
      const verdict = await judge(token, socket.conn)
      if (verdict.result === 'unavailable') {
        facts.judged('unavailable')
        throw new ClientError('unavailable', 'the token can not be checked right now')
      }
      if (verdict.result !== 'accepted') {
        facts.judged(verdict.result)
        throw new ClientError(codeOf(verdict.result), verdict.message)
      }
      const { identity } = verdict
      if (identity.user !== identityOf(socket)?.user) {
        facts.judged('forbidden')
        throw new ClientError('forbidden', 'the token is of another user')
      }
      facts.judged('accepted')
      identify(socket, identity)
      if (socket.connected) expiries.set(socket, endOf(identity))
      return identity
    },
    isReady: () => keySet?.isRead() ?? true,
    close() {
      expiries.close()
      keySet?.close()
    },
  }
}

const codeOf = (result: AuthResult): ErrorCode => (result === 'revoked' ? result : 'unauthorized')

/** What Socket.IO sends as CONNECT_ERROR. */
function refusal(code: ErrorCode, message: string): Error {
  return Object.assign(new Error(message), { data: { code, message } })
}
