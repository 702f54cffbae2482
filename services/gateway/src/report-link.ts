import { WebSocket, type RawData } from 'ws'
import {
  PresenceToGateway,
  REPORT_BEAT_INTERVAL_MS,
  REPORT_DIFF_INTERVAL_MS,
  REPORT_PART_MEMBERS,
  REPORT_PATH,
  type GatewayInfo,
  type GatewayToPresence,
  type GatewayTotals,
  type ReportedMember,
} from '@roomcast/protocol'
import type { InternalAccess, Log } from '@roomcast/runtime'

/**
 * How long a connection may take until its `welcome`, in milliseconds. An attempt that was lost in the network is one that TCP repeats
 * after seconds only: with the waits below, a network or a replica that is back is reported to within two.
 */
const CONNECT_TIMEOUT_MS = 1_000
/** Waits before connecting again double from the first to the last of these, in milliseconds, less up to half at random. */
const RETRY_MIN_MS = 125
const RETRY_MAX_MS = 500
/** The same after a replica has refused what it was told, which it is likely to do again. */
const REFUSED_RETRY_MS = 5_000
/** With which a replica refuses: what it was told, how much that was, or one gateway more. */
const REFUSALS: readonly number[] = [1008, 1009, 1013]
/** When to try an address again that led to a replica which another address leads to as well, in milliseconds. */
const DUPLICATE_RETRY_MS = 30_000
/** How long a replica may take to hear from the other gateways: before, its list may lack some. In milliseconds. */
const LIST_SETTLE_MS = 5_000
/**
 * Pings in a row without an answer after which a replica counts as dead; one goes out each beat. By then a lease of three seconds has run
 * out, and what TCP still holds back waits longer than a new connection takes.
 */
const UNANSWERED_PINGS_MAX = 2
/** Changes that wait for one replica; with more it gets the whole state instead, when it reads again. */
const CHANGES_MAX = 10 * REPORT_PART_MEMBERS
/** Bytes that may wait for one replica; over it nothing is written until it has read. */
const UNSENT_MAX_BYTES = 1_048_576
/** Bytes of one frame from presence: its longest list of gateways. */
const FRAME_MAX_BYTES = 4 * 1_048_576
/** How long closing waits for the replica to answer, in milliseconds. */
const CLOSE_WAIT_MS = 1_000

/** What a replica tells about the cluster, or asks of this gateway. */
export type Hearsay = Extract<PresenceToGateway, { t: 'gateways' | 'counts' | 'shed' | 'announce' }>

/**
 * The way to one replica, from one connection to the next: each begins with the whole state, then tells what changed. A replica that
 * reads slowly or is away costs a bounded amount of memory. It has no timer: everything but reading happens in `tick`.
 */
export interface ReportLink {
  /** The replica that welcomed this gateway; undefined while the link is not open. */
  replica(): string | undefined
  /** Whether it has been open for `LIST_SETTLE_MS`: the replica then knows every gateway that lives. */
  isSettled(): boolean
  /** A member joined, changed or left. `wasKnown`: it was a member before, so the replica may know it. */
  note(sid: string, wasKnown: boolean): void
  /** Reports, beats, pings and connects again, as is due. To be called every `REPORT_DIFF_INTERVAL_MS` of the clock. */
  tick(): void
  /** Says bye, when there is somebody to say it to. Takes a second at most; nothing is heard or told any more, `tick` included. */
  close(): Promise<void>
}

export interface ReportLinkOptions {
  /** Base URL of the replica. */
  readonly url: string
  readonly internal: Pick<InternalAccess, 'headers'>
  readonly gateway: GatewayInfo
  /** What is reported: the members by sid, read when a report is written, and the totals, a new object with each change. */
  readonly members: ReadonlyMap<string, ReportedMember>
  readonly totals: () => GatewayTotals
  /** Milliseconds that passed, never going back. */
  readonly clock: () => number
  readonly log: Log
  /** Whether a link is open to this replica: it would be told everything twice, so this one stays closed for half a minute. */
  readonly isTaken: (replica: string) => boolean
  readonly onHeard: (hearsay: Hearsay) => void
  /** It was open and is not any more. */
  readonly onEnded: () => void
}

/** One connection, from the attempt to its end. */
interface Connection {
  readonly ws: WebSocket
  /** When it was begun, or welcomed; on the clock. */
  sinceMs: number
  /** Undefined until `welcome`; our hello follows at once. */
  replica: string | undefined
  /** Number of the last report. */
  n: number
  needsState: boolean
  /** A state on its way: the members still to visit, at most `left` of them, and the number of the next part. */
  state: { readonly members: Iterator<ReportedMember>; left: number; part: number } | undefined
  /** Members changed since the last report, and whether the replica may know them from before. */
  readonly changes: Map<string, boolean>
  /** The totals that were reported last. */
  totals: GatewayTotals | undefined
  ticksSinceReport: number
  ticksSincePing: number
  unansweredPings: number
}

/** Connects at once, and again whenever the connection ended. */
export function openReportLink(options: ReportLinkOptions): ReportLink {
  const { url, internal, gateway, members, totals, clock, log } = options
  const { isTaken, onHeard, onEnded } = options
  let connection: Connection | undefined
  let retryAtMs = 0
  /** Connections in a row that ended before they settled. */
  let failures = 0

  const hasSettled = ({ replica, sinceMs }: Connection): boolean =>
    replica !== undefined && clock() - sinceMs >= LIST_SETTLE_MS

  const connect = (): void => {
    const ws = new WebSocket(url.replace(/^http/, 'ws') + REPORT_PATH, {
      headers: internal.headers(),
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: FRAME_MAX_BYTES,
      perMessageDeflate: false,
    })
    const own = newConnection(ws, clock())
    connection = own
    const isCurrent = (): boolean => connection === own
    ws.on('message', (data, isBinary) => {
      if (!isCurrent()) return
      const frame = isBinary ? undefined : parseFrame(data)
      if (frame !== undefined) {
        hear(own, frame)
        return
      }
      log.error({ url }, 'presence sent what is not a frame of the report protocol')
      end(own, REFUSED_RETRY_MS)
    })
    ws.on('pong', () => (own.unansweredPings = 0))
    // Every error is followed by `close`. Told once per outage: a replica may be away for long.
    ws.on('error', (error) => {
      if (isCurrent() && failures === 0)
        log.warn({ err: error, url }, 'presence can not be reached')
    })
    ws.on('close', (code) => {
      if (isCurrent()) end(own, REFUSALS.includes(code) ? REFUSED_RETRY_MS : undefined)
    })
  }

  /** Ends the connection, and sets when to try again. */
  const end = (ended: Connection, retryMs?: number): void => {
    const { ws, replica } = ended
    failures = hasSettled(ended) ? 0 : failures + 1
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 10))
    retryAtMs = clock() + (retryMs ?? backoffMs * (0.5 + Math.random() / 2))
    connection = undefined
    if (ws.readyState === WebSocket.OPEN) ws.close(1000)
    else ws.terminate()
    if (replica !== undefined) onEnded()
  }

  const hear = (own: Connection, frame: PresenceToGateway): void => {
    if (frame.t === 'welcome') {
      if (isTaken(frame.replica)) {
        end(own, DUPLICATE_RETRY_MS)
        return
      }
      own.replica = frame.replica
      own.sinceMs = clock()
      send(own, { t: 'hello', v: 1, ...gateway })
      beginState(own)
      log.info({ url, replica: frame.replica }, 'reports to a replica of presence')
      return
    }
    // Nothing that a replica says counts before it knows to whom.
    if (own.replica === undefined) return
    if (frame.t === 'resend') needState(own)
    else onHeard(frame)
  }

  const report = (
    to: Connection,
    frame: GatewayToPresence,
    written?: (error?: Error | null) => void,
  ): void => {
    to.ticksSinceReport = 0
    to.totals = totals()
    send(to, frame, written)
  }

  const needState = (own: Connection): void => {
    own.changes.clear()
    own.state = undefined
    own.needsState = true
  }

  /**
   * The map is read while it changes, a part at a time: members that stay are visited in any case, and what changed meanwhile is in
   * `changes`, which the next diff tells. New members are at the map's end, so the visit ends after as many as there were.
   */
  const beginState = (to: Connection): void => {
    to.needsState = false
    to.changes.clear()
    // A number of its own: what was dropped for it is thus missed if it never arrives.
    to.n++
    to.state = { members: members.values(), left: members.size, part: 0 }
    sendPart(to)
  }

  const sendPart = (to: Connection): void => {
    const { state } = to
    if (state === undefined) return
    const part: ReportedMember[] = []
    while (state.left > 0 && part.length < REPORT_PART_MEMBERS) {
      const next = state.members.next()
      state.left = next.done ? 0 : state.left - 1
      if (!next.done) part.push(next.value)
    }
    const last = state.left === 0
    if (last) to.state = undefined
    const place = { n: to.n, part: state.part++, last }
    // Each part waits for the one before to be written, and lets the sockets of members have their turn.
    report(to, { t: 'state', ...place, members: part, ...totals() }, (error) => {
      if (!error && !last) setImmediate(() => to.state === state && sendPart(to))
    })
  }

  const sendChanges = (to: Connection): void => {
    let joined: ReportedMember[] = []
    let left: string[] = []
    const flush = (): void => {
      report(to, { t: 'diff', n: ++to.n, joined, left, ...totals() })
      joined = []
      left = []
    }
    for (const [sid, wasKnown] of to.changes) {
      const member = members.get(sid)
      if (member !== undefined) joined.push(member)
      else if (wasKnown) left.push(sid)
      if (joined.length === REPORT_PART_MEMBERS || left.length === REPORT_PART_MEMBERS) flush()
    }
    if (joined.length > 0 || left.length > 0 || to.totals !== totals()) flush()
    to.changes.clear()
  }

  const ping = (own: Connection): void => {
    if (++own.ticksSincePing * REPORT_DIFF_INTERVAL_MS < REPORT_BEAT_INTERVAL_MS) return
    own.ticksSincePing = 0
    if (++own.unansweredPings <= UNANSWERED_PINGS_MAX) {
      own.ws.ping()
      return
    }
    log.warn({ url }, 'presence does not answer')
    own.ws.terminate()
  }

  const tickOpen = (own: Connection): void => {
    ping(own)
    own.ticksSinceReport++
    if (own.state !== undefined || own.ws.bufferedAmount > UNSENT_MAX_BYTES) return
    if (own.needsState) beginState(own)
    else if (own.changes.size > 0 || own.totals !== totals()) sendChanges(own)
    if (own.ticksSinceReport * REPORT_DIFF_INTERVAL_MS >= REPORT_BEAT_INTERVAL_MS) {
      report(own, { t: 'beat', n: own.n })
    }
  }

  const close = async (): Promise<void> => {
    retryAtMs = Infinity
    if (connection === undefined) return
    const { ws, replica } = connection
    connection = undefined
    if (replica !== undefined) {
      ws.send(JSON.stringify({ t: 'bye' } satisfies GatewayToPresence))
      ws.close(1000)
    } else {
      ws.terminate()
    }
    if (ws.readyState === WebSocket.CLOSED) return
    const late = setTimeout(() => ws.terminate(), CLOSE_WAIT_MS)
    // Not `once` of events: it would reject for the error of a connection that never opened.
    await new Promise((resolve) => ws.once('close', resolve))
    clearTimeout(late)
  }

  connect()
  return {
    replica: () => connection?.replica,
    isSettled: () => connection !== undefined && hasSettled(connection),
    note(sid, wasKnown) {
      const own = connection
      if (own?.replica === undefined || own.needsState) return
      const { changes } = own
      if (!changes.has(sid)) changes.set(sid, wasKnown || own.state !== undefined)
      else if (changes.get(sid) === false && !members.has(sid)) changes.delete(sid)
      if (changes.size > CHANGES_MAX) needState(own)
    },
    tick() {
      if (connection === undefined) {
        if (clock() >= retryAtMs) connect()
      } else if (connection.replica !== undefined) {
        tickOpen(connection)
      } else if (clock() - connection.sinceMs > CONNECT_TIMEOUT_MS) {
        end(connection)
      }
    },
    close,
  }
}

function newConnection(ws: WebSocket, sinceMs: number): Connection {
  return {
    ws,
    sinceMs,
    replica: undefined,
    n: 0,
    needsState: false,
    state: undefined,
    changes: new Map(),
    totals: undefined,
    ticksSinceReport: 0,
    ticksSincePing: 0,
    unansweredPings: 0,
  }
}

function send(
  { ws }: Connection,
  frame: GatewayToPresence,
  written?: (error?: Error | null) => void,
): void {
  ws.send(JSON.stringify(frame), written)
}

function parseFrame(data: RawData): PresenceToGateway | undefined {
  try {
    // A Buffer always: `binaryType` is left at its default.
    return PresenceToGateway.parse(JSON.parse((data as Buffer).toString()))
  } catch {
    // The caller ends the connection and says so; what exactly was wrong helps nobody.
    return undefined
  }
}
