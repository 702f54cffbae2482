import { randomBytes } from 'node:crypto'
import { parseOffset, type Position } from '@roomcast/protocol'
import {
  EMPTY_HEAD,
  isCompleteAfter,
  locate,
  PID_MAX_CHARS,
  userOfSession,
  type FoundSession,
  type RoomLog,
} from '@roomcast/roomlog'
import type { Log } from '@roomcast/runtime'
import type { Namespace } from 'socket.io'
import { forgetPid } from './engine/connection.ts'
import type { Facts, RecoveryResult } from './facts.ts'
import { destinationOf, type ChatServer, type ChatSocket } from './sockets.ts'

/** How long the store may be silent before the connection is closed, so that the client tries again with what it knows. In milliseconds. */
const RESTORE_TIMEOUT_MS = 2_000
/** Attempts to take a session over while others take it: an earlier connection of the same client may still be at it on a slower gateway. */
const CLAIMS_MAX = 5
/** Random bytes of a new session's ids: as many as Socket.IO gives its own. */
const ID_BYTES = 15

/** A membership that a new connection goes on with. */
export interface Restored {
  readonly session: FoundSession
  /** The end of what the client has. */
  readonly position: Position
}

/** Why a client that asked for its session gets another one, or none for now. */
export type Refused = Exclude<RecoveryResult, 'recovered'>

/** What became of a client's wish to go on. */
export type Outcome = Restored | Refused

/** Where the outcome waits on `socket.data` for this very socket: a symbol, so that nothing serialises it. */
const OUTCOME = Symbol('outcome of a recovery')

interface WithOutcome {
  [OUTCOME]?: Outcome | undefined
}

/**
 * Recovery by Socket.IO's own protocol, for clients as they are: a client that presents the private id and the offset of its last
 * message gets its session back, on any gateway, and then from the room log what it missed.
 *
 * A session is taken over by compare-and-set and never deleted by that, so an attempt that is cut half way can be repeated. Nothing of
 * what was missed is handed to Socket.IO, which would send it before any middleware ran: the connection handler replays it.
 */
export interface Recovery {
  /**
   * What Socket.IO makes the socket from: the session that was asked for, or a new one that knows why it is new. Never rejects: Socket.IO
   * would then make a socket that can not be told apart from one of another attempt.
   */
  restore(namespace: Namespace, pid: string, offset: string): Promise<object>
}

export function createRecovery(options: {
  readonly roomLog: RoomLog
  /** This gateway's instance, which becomes the owner. */
  readonly instance: string
  readonly maxMessages: number
  readonly facts: () => Pick<Facts, 'recovery'>
  readonly log: Log
}): Recovery {
  const { roomLog, instance, maxMessages, facts, log } = options

  /** Why a session can not be restored, or what it is restored from. Rejects with `LogUnavailable`. */
  const examine = async (namespace: string, pid: string, offset: string): Promise<Outcome> => {
    const position = parseOffset(offset)
    if (position === undefined || pid.length > PID_MAX_CHARS) return 'invalid'
    const session = await roomLog.sessions.find(pid)
    if (session === undefined) return 'expired'
    if (session.namespace !== namespace) return 'invalid'
    const [[head = EMPTY_HEAD], { ban, removedAt }] = await Promise.all([
      roomLog.heads([session.room]),
      roomLog.moderation.standingOf(session.room, userOfSession(session)),
    ])
    const place = locate(head, position)
    if (place.kind !== 'known') return 'other_log'
    if (ban !== undefined || removedAt > place.seq) return 'removed'
    if (!isCompleteAfter(head, place.seq)) return 'trimmed'
    if (head.seq - place.seq > maxMessages) return 'too_many'
    return { session, position }
  }

  const attempt = async (namespace: Namespace, pid: string, offset: string): Promise<Outcome> => {
    for (let claims = 0; claims < CLAIMS_MAX; claims++) {
      const examined = await examine(namespace.name, pid, offset)
      if (typeof examined === 'string') return examined
      const { session, position } = examined
      // A connection that only seems to live would take the new one's place in the namespace when it ends.
      namespace.sockets.get(session.sid)?.conn.close(true)
      // Whether its quit was announced is what the claim says: that may have happened since it was found.
      const claimed = await roomLog.sessions.claim(pid, session.generation, instance)
      if (claimed !== undefined)
        return { session: { ...session, ...claimed, owner: instance }, position }
    }
    return 'raced'
  }

  return {
    async restore(namespace, pid, offset) {
      let outcome: Outcome
      try {
        outcome = await withDeadline(attempt(namespace, pid, offset))
      } catch (error) {
        log.warn({ err: error }, 'session could not be looked up')
        outcome = 'unavailable'
      }
      const data: { username?: string } & WithOutcome = { [OUTCOME]: outcome }
      if (typeof outcome === 'string') {
        facts().recovery(outcome)
        return { sid: newId(), pid: newId(), rooms: [], data, missedPackets: [] }
      }
      const { sid, name } = outcome.session
      return { sid, pid, rooms: [], data: { ...data, username: name }, missedPackets: [] }
    },
  }
}

/**
 * Leaves the private id out of what a socket is told that is in no room and so has nothing to recover: it would come back with an id
 * that names no session, each time at the cost of a look-up, and Socket.IO's protocol knows no such field.
 */
export function withholdPids(io: ChatServer): void {
  const withhold = (socket: ChatSocket, next: () => void): void => {
    if (!socket.recovered && destinationOf(socket).kind !== 'room') forgetPid(socket)
    next()
  }
  io.of('/').use(withhold)
  io.on('new_namespace', (namespace) => namespace.use(withhold))
}

/** What became of this socket's wish to go on, if it had one. A socket that was refused is a new one from then on. */
export function recoveryOf(socket: ChatSocket): Outcome | undefined {
  const outcome = (socket.data as WithOutcome)[OUTCOME]
  if (typeof outcome === 'string') Object.assign(socket, { recovered: false })
  return outcome
}

/** What this connection goes on with, if it was recovered; told once. */
export function takeRestored(socket: ChatSocket): Restored | undefined {
  const data = socket.data as WithOutcome
  const outcome = data[OUTCOME]
  delete data[OUTCOME]
  return typeof outcome === 'string' ? undefined : outcome
}

const newId = (): string => randomBytes(ID_BYTES).toString('base64url')

async function withDeadline<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the store is silent')), RESTORE_TIMEOUT_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
