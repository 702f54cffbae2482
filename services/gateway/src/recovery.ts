import { parseOffset, type Position } from '@roomcast/protocol'
import {
  EMPTY_HEAD,
  isCompleteAfter,
  locate,
  PID_MAX_CHARS,
  type FoundSession,
  type RoomLog,
} from '@roomcast/roomlog'
import type { Log } from '@roomcast/runtime'
import type { Namespace } from 'socket.io'
import type { Facts, RecoveryResult } from './facts.ts'
import type { ChatSocket } from './sockets.ts'

/** How long the store may be silent before the connection is closed, so that the client tries again with what it knows. In milliseconds. */
const RESTORE_TIMEOUT_MS = 2_000

/** A membership that a new connection goes on with. */
export interface Restored {
  readonly session: FoundSession
  /** The end of what the client has. */
  readonly position: Position
}

/** Where a restored membership waits on `socket.data` for the connection handler: a symbol, so that nothing serialises it. */
const RESTORED = Symbol('restored')

interface WithRestored {
  [RESTORED]?: Restored | undefined
}

/**
 * Recovery by Socket.IO's own protocol, for clients as they are: a client that presents the private id and the offset of its last
 * message gets its session back, on any gateway, and then from the room log what it missed.
 *
 * A session is taken over by compare-and-set and never deleted by that, so an attempt that is cut half way can be repeated. Nothing of
 * what was missed is handed to Socket.IO, which would send it before any middleware ran: the connection handler replays it.
 */
export interface Recovery {
  /** What Socket.IO makes the socket from. Rejects when there is nothing to restore: Socket.IO then begins a new session. */
  restore(namespace: Namespace, pid: string, offset: string): Promise<object>
  /** Whether the store did not answer for this connection's attempt, told once. */
  hasFailed(socket: ChatSocket): boolean
}

export function createRecovery(options: {
  readonly roomLog: RoomLog
  /** This gateway's instance, which becomes the owner. */
  readonly instance: string
  readonly maxMessages: number
  readonly facts: () => Facts
  readonly log: Log
}): Recovery {
  const { roomLog, instance, maxMessages, facts, log } = options
  const failed = new Set<string>()

  /** Why a session can not be restored, or what it is restored from. Rejects with `LogUnavailable`. */
  const examine = async (
    namespace: string,
    pid: string,
    offset: string,
  ): Promise<Restored | RecoveryResult> => {
    const position = parseOffset(offset)
    if (position === undefined || pid.length > PID_MAX_CHARS) return 'invalid'
    const session = await roomLog.sessions.find(pid)
    if (session === undefined) return 'expired'
    if (session.namespace !== namespace) return 'invalid'
    const [head = EMPTY_HEAD] = await roomLog.heads([session.room])
    const place = locate(head, position)
    if (place.kind !== 'known') return 'other_log'
    if (!isCompleteAfter(head, place.seq)) return 'trimmed'
    if (head.seq - place.seq > maxMessages) return 'too_many'
    return { session, position }
  }

  const attempt = async (
    namespace: Namespace,
    pid: string,
    offset: string,
  ): Promise<Restored | RecoveryResult> => {
    const examined = await examine(namespace.name, pid, offset)
    if (typeof examined === 'string') return examined
    const { session, position } = examined
    // A connection that only seems to live would take the new one's place in the namespace when it ends.
    namespace.sockets.get(session.sid)?.conn.close(true)
    // Whether its quit was announced is what the claim says: that may have happened since it was found.
    const claimed = await roomLog.sessions.claim(pid, session.generation, instance)
    if (claimed === undefined) return 'raced'
    return { session: { ...session, ...claimed, owner: instance }, position }
  }

  return {
    async restore(namespace, pid, offset) {
      let outcome: Restored | RecoveryResult
      try {
        outcome = await withDeadline(attempt(namespace, pid, offset))
      } catch (error) {
        facts().recovery('unavailable')
        log.warn({ err: error }, 'session could not be looked up')
        failed.add(pid)
        throw error
      }
      if (typeof outcome === 'string') {
        facts().recovery(outcome)
        throw new Error(`not recovered: ${outcome}`)
      }
      const { sid, name } = outcome.session
      const data: { username: string } & WithRestored = { username: name, [RESTORED]: outcome }
      return { sid, pid, rooms: [], data, missedPackets: [] }
    },
    hasFailed: (socket) => {
      const pid: unknown = socket.handshake.auth['pid']
      return typeof pid === 'string' && failed.delete(pid)
    },
  }
}

/** What this connection goes on with, if it was recovered; told once. */
export function takeRestored(socket: ChatSocket): Restored | undefined {
  const data = socket.data as WithRestored
  const restored = data[RESTORED]
  delete data[RESTORED]
  return restored
}

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
