/** How long the poll of a connection that its client has closed may be on its way, in milliseconds. */
const OVERTAKEN_MS = 1_000
/** Connections that are remembered for it; the oldest are forgotten first. */
const REMEMBERED_MAX = 1_000

/** What is asked of a polling request's answer. */
interface Answer {
  readonly writableEnded: boolean
}

interface Polls {
  last?: Answer
  /** Whether a poll was there at some time since the last request with data arrived. */
  isOpen: boolean
}

/**
 * A client that closes its connection sends the close packet while a poll of its own is on the way, and without stickiness the two go
 * through different gateways: the packet may arrive first. That poll is then the answer's to the close, not an unknown session's.
 */
export interface OvertakenPolls {
  /** A request of an open connection has arrived. */
  arrived(connection: object, method: string | undefined, answer: Answer): void
  /** The client has closed a connection by a packet. */
  closed(connection: object, sid: string, now: number): void
  /** Whether a poll for a connection that is gone was overtaken by its close. Told once for each. */
  take(sid: string, now: number): boolean
}

export function createOvertakenPolls(): OvertakenPolls {
  const polls = new WeakMap<object, Polls>()
  /** Session ids, the oldest first, and until when. */
  const remembered = new Map<string, number>()

  return {
    arrived(connection, method, answer) {
      const known = polls.get(connection)
      if (method === 'GET') polls.set(connection, { last: answer, isOpen: true })
      else if (known?.last?.writableEnded === true) known.isOpen = false
    },
    closed(connection, sid, now) {
      if (polls.get(connection)?.isOpen === true) return
      remembered.set(sid, now + OVERTAKEN_MS)
      const [oldest] = remembered.keys()
      if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest)
    },
    take(sid, now) {
      const until = remembered.get(sid)
      remembered.delete(sid)
      return until !== undefined && now < until
    },
  }
}
