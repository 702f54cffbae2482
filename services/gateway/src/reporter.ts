import { WebSocket, type RawData } from 'ws'
import {
  INTERNAL_TOKEN_HEADER,
  PresenceToGateway,
  REPORT_BEAT_INTERVAL_MS,
  REPORT_DIFF_INTERVAL_MS,
  REPORT_PART_MEMBERS,
  REPORT_PATH,
  type GatewayInfo,
  type GatewayToPresence,
  type GatewayTotals,
  type ReportedMember,
  type RoomId,
} from '@roomcast/protocol'
import { watchReplicas, type Log, type Replicas } from '@roomcast/runtime'

/** How long a connection may take until its `welcome`, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000
/** Waits before connecting again double from the first to the last of these, in milliseconds, less up to half at random. */
const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 5_000
/** When to try an address again that led to a replica which another address leads to as well, in milliseconds. */
const DUPLICATE_RETRY_MS = 30_000
/** How long a replica may take to hear from the other gateways: before, its list may lack some. In milliseconds. */
const LIST_SETTLE_MS = 5_000
/** Pings in a row without an answer after which a replica counts as dead; one goes out each beat. */
const UNANSWERED_PINGS_MAX = 5
/** Changes that wait for one replica; with more it gets the whole state instead, when it reads again. */
const CHANGES_MAX = 10 * REPORT_PART_MEMBERS
/** Bytes that may wait for one replica; over it nothing is written until it has read. */
const UNSENT_MAX_BYTES = 1_048_576
/** Bytes of one frame from presence: its longest list of gateways. */
const FRAME_MAX_BYTES = 4 * 1_048_576
/** How long closing waits for replicas to answer, in milliseconds. */
const CLOSE_WAIT_MS = 1_000

/** What one process tells presence, and hears from it. Nothing here throws or waits: without presence the gateway goes on. */
export interface Reporter {
  /** A socket became a member, or what is known of it changed. The object is kept until it left. */
  joined(member: ReportedMember): void
  left(sid: string): void
  /** Connections in all, in a room or not. */
  connections(connections: GatewayTotals['connections']): void
  setDraining(isDraining: boolean): void
  /** Whether presence ever told the gateways of this one. Once true, it stays: an outage of presence makes no gateway unknown. */
  isKnown(): boolean
  /** Says bye to every replica. Idempotent; takes a second at most. */
  close(): Promise<void>
}

export interface ReporterOptions {
  /** Base URLs of presence; a host that resolves to several addresses stands for several replicas. */
  readonly presenceUrls: readonly string[]
  readonly internalToken: string | undefined
  readonly gateway: GatewayInfo
  readonly log: Log
  readonly now: () => number
  /**
   * The gateways that any replica hears, this one included; called when that changes. An outage of presence takes none away:
   * those known before it stay until a replica is back for `LIST_SETTLE_MS`.
   */
  readonly onGateways: (gateways: readonly GatewayInfo[]) => void
  /** Members in the whole cluster, of rooms that this gateway occupies and whose count changed. From one replica at a time. */
  readonly onCounts: (counts: readonly (readonly [RoomId, number])[]) => void
}

/** The way to one replica. */
interface Link {
  readonly url: string
  ws: WebSocket | undefined
  /** `open`: welcomed, and our hello sent. */
  phase: 'waiting' | 'connecting' | 'open'
  /** When the phase began, or for `waiting`, when it ends; on the reporter's clock. */
  atMs: number
  failures: number
  /** Whether its address is still listed. One that is not is left as it is until its connection ends. */
  isListed: boolean
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
  gateways: readonly GatewayInfo[]
  readonly counts: Map<RoomId, number>
}

/**
 * Reports this gateway to every replica of presence. Each gets the whole state, then what changed, and can ask for the whole again;
 * one that reads slowly or is away costs a bounded amount of memory and nothing else.
 */
export function startReporter(options: ReporterOptions): Reporter {
  const { presenceUrls, internalToken, gateway, log, now, onGateways, onCounts } = options
  const members = new Map<string, ReportedMember>()
  /** Own members by room. */
  const rooms = new Map<RoomId, number>()
  let totals: GatewayTotals = { connections: { websocket: 0, polling: 0 }, draining: false }
  const links = new Map<string, Link>()
  let listening: Link | undefined
  const told = new Map<RoomId, number>()
  let known: readonly GatewayInfo[] = []
  /** Known from replicas that are gone, until one that is there had the time to hear everybody. */
  let kept: readonly GatewayInfo[] = []
  let isKnown = false
  /** Time that passed while this process was awake, in milliseconds: never jumps, never goes back. */
  let clockMs = 0
  let lastNow = now()
  let replicas: Replicas | undefined
  let closing: Promise<void> | undefined

  // --- what goes out

  const send = (
    { ws }: Link,
    frame: GatewayToPresence,
    written?: (error?: Error | null) => void,
  ): void => ws?.send(JSON.stringify(frame), written)

  const report = (
    link: Link,
    frame: GatewayToPresence,
    written?: (error?: Error | null) => void,
  ): void => {
    link.ticksSinceReport = 0
    link.totals = totals
    send(link, frame, written)
  }

  /**
   * The map is read while it changes, a part at a time: members that stay are visited in any case, and what changed meanwhile is in
   * `changes`, which the next diff tells. New members are at the map's end, so the visit ends after as many as there were.
   */
  const beginState = (link: Link): void => {
    link.needsState = false
    link.changes.clear()
    // A number of its own: what was dropped for it is thus missed if it never arrives.
    link.n++
    link.state = { members: members.values(), left: members.size, part: 0 }
    sendPart(link)
  }

  const sendPart = (link: Link): void => {
    const { state } = link
    if (state === undefined) return
    const part: ReportedMember[] = []
    while (state.left > 0 && part.length < REPORT_PART_MEMBERS) {
      const next = state.members.next()
      state.left = next.done ? 0 : state.left - 1
      if (!next.done) part.push(next.value)
    }
    const isLast = state.left === 0
    if (isLast) link.state = undefined
    const frame = {
      t: 'state',
      n: link.n,
      part: state.part++,
      last: isLast,
      members: part,
    } as const
    // Each part waits for the one before to be written, and lets the sockets of members have their turn.
    report(link, { ...frame, ...totals }, (error) => {
      if (!error && !isLast) setImmediate(() => link.state === state && sendPart(link))
    })
  }

  const sendChanges = (link: Link): void => {
    let joined: ReportedMember[] = []
    let left: string[] = []
    const flush = (): void => {
      report(link, { t: 'diff', n: ++link.n, joined, left, ...totals })
      joined = []
      left = []
    }
    for (const [sid, wasKnown] of link.changes) {
      const member = members.get(sid)
      if (member !== undefined) joined.push(member)
      else if (wasKnown) left.push(sid)
      if (joined.length === REPORT_PART_MEMBERS || left.length === REPORT_PART_MEMBERS) flush()
    }
    if (joined.length > 0 || left.length > 0 || link.totals !== totals) flush()
    link.changes.clear()
  }

  const note = (sid: string, wasKnown: boolean): void => {
    for (const link of links.values()) {
      if (link.phase !== 'open' || link.needsState) continue
      const { changes } = link
      if (!changes.has(sid)) changes.set(sid, wasKnown || link.state !== undefined)
      else if (changes.get(sid) === false && !members.has(sid)) changes.delete(sid)
      if (changes.size <= CHANGES_MAX) continue
      changes.clear()
      link.state = undefined
      link.needsState = true
    }
  }

  // --- what comes in

  const tell = (counts: Iterable<readonly [RoomId, number]>): void => {
    const news = [...counts].filter(([room, online]) => told.get(room) !== online)
    for (const [room, online] of news) told.set(room, online)
    if (news.length > 0) onCounts(news)
  }

  const openLinks = (): Link[] => [...links.values()].filter(({ phase }) => phase === 'open')
  const isSettled = ({ atMs }: Link): boolean => clockMs - atMs >= LIST_SETTLE_MS

  const tellGateways = (): void => {
    const open = openLinks()
    if (open.some(isSettled)) kept = []
    const all = [...kept, ...open.flatMap(({ gateways }) => gateways)]
    const next = [...new Map(all.map((info) => [info.instance, info])).values()]
    next.sort((a, b) => (a.instance < b.instance ? -1 : 1))
    if (JSON.stringify(next) === JSON.stringify(known)) return
    known = next
    onGateways(known)
  }

  const hear = (link: Link, frame: PresenceToGateway): void => {
    switch (frame.t) {
      case 'welcome': {
        if (openLinks().some(({ replica }) => replica === frame.replica)) {
          disconnect(link, DUPLICATE_RETRY_MS)
          return
        }
        link.phase = 'open'
        link.atMs = clockMs
        link.replica = frame.replica
        send(link, { t: 'hello', v: 1, ...gateway })
        beginState(link)
        log.info({ url: link.url, replica: frame.replica }, 'reports to a replica of presence')
        return
      }
      case 'resend':
        link.state = undefined
        link.needsState = true
        return
      case 'gateways':
        link.gateways = frame.gateways
        isKnown ||= frame.gateways.some(({ instance }) => instance === gateway.instance)
        tellGateways()
        return
      case 'counts': {
        const counts = frame.counts.filter(([room]) => rooms.has(room))
        for (const [room, online] of counts) link.counts.set(room, online)
        // A young replica tells none: the first that does knows the cluster.
        listening ??= link
        if (listening === link) tell(counts)
        return
      }
    }
  }

  // --- connections

  const connect = (link: Link): void => {
    const ws = new WebSocket(link.url.replace(/^http/, 'ws') + REPORT_PATH, {
      headers: internalToken === undefined ? {} : { [INTERNAL_TOKEN_HEADER]: internalToken },
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: FRAME_MAX_BYTES,
      perMessageDeflate: false,
    })
    link.ws = ws
    link.phase = 'connecting'
    link.atMs = clockMs
    const isCurrent = (): boolean => link.ws === ws
    ws.on('message', (data, isBinary) => {
      if (!isCurrent()) return
      const frame = isBinary ? undefined : parseFrame(data)
      if (frame !== undefined) {
        hear(link, frame)
        return
      }
      log.error({ url: link.url }, 'presence sent what is not a frame of the report protocol')
      disconnect(link, RETRY_MAX_MS)
    })
    ws.on('pong', () => (link.unansweredPings = 0))
    // Every error is followed by `close`. Told once per outage: a replica may be away for long.
    ws.on('error', (error) => {
      if (isCurrent() && link.failures === 0) {
        log.warn({ err: error, url: link.url }, 'presence can not be reached')
      }
    })
    ws.on('close', () => isCurrent() && disconnect(link))
  }

  /** Ends the connection, if there is one, and sets when to try again. */
  const disconnect = (link: Link, retryMs?: number): void => {
    const { ws, phase } = link
    link.failures = phase === 'open' && isSettled(link) ? 0 : link.failures + 1
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(link.failures, 10))
    Object.assign(link, newLink(link.url), {
      failures: link.failures,
      isListed: link.isListed,
      atMs: clockMs + (retryMs ?? backoffMs * (0.5 + Math.random() / 2)),
    })
    if (ws?.readyState === WebSocket.OPEN) ws.close(1000)
    else ws?.terminate()
    if (!link.isListed) links.delete(link.url)
    if (listening === link) {
      listening = [...links.values()].find(({ counts }) => counts.size > 0)
      if (listening !== undefined) tell(listening.counts)
    }
    if (phase === 'open' && !openLinks().some(isSettled)) kept = known
    tellGateways()
  }

  const follow = (urls: readonly string[]): void => {
    if (closing !== undefined) return
    for (const url of urls) {
      const link = links.get(url) ?? newLink(url)
      link.isListed = true
      links.set(url, link)
      if (link.ws === undefined && link.atMs <= clockMs) connect(link)
    }
    for (const link of links.values()) {
      link.isListed = urls.includes(link.url)
      if (!link.isListed && link.phase !== 'open') disconnect(link)
    }
  }

  // --- time

  const ping = (link: Link): void => {
    if (++link.ticksSincePing * REPORT_DIFF_INTERVAL_MS < REPORT_BEAT_INTERVAL_MS) return
    link.ticksSincePing = 0
    if (++link.unansweredPings <= UNANSWERED_PINGS_MAX) {
      link.ws?.ping()
      return
    }
    log.warn({ url: link.url }, 'presence does not answer')
    link.ws?.terminate()
  }

  const visit = (link: Link): void => {
    if (link.phase === 'waiting') {
      if (clockMs >= link.atMs) connect(link)
      return
    }
    if (link.phase === 'connecting') {
      if (clockMs - link.atMs > CONNECT_TIMEOUT_MS) disconnect(link)
      return
    }
    ping(link)
    link.ticksSinceReport++
    if (link.state !== undefined || (link.ws?.bufferedAmount ?? 0) > UNSENT_MAX_BYTES) return
    if (link.needsState) beginState(link)
    else if (link.changes.size > 0 || link.totals !== totals) sendChanges(link)
    if (link.ticksSinceReport * REPORT_DIFF_INTERVAL_MS >= REPORT_BEAT_INTERVAL_MS) {
      report(link, { t: 'beat', n: link.n })
    }
  }

  const timer = setInterval(() => {
    clockMs += Math.min(Math.max(now() - lastNow, 0), 2 * REPORT_DIFF_INTERVAL_MS)
    lastNow = now()
    for (const link of links.values()) visit(link)
    if (kept.length > 0) tellGateways()
  }, REPORT_DIFF_INTERVAL_MS)
  watchReplicas(presenceUrls, follow).then(
    (watched) => {
      replicas = watched
      if (closing !== undefined) watched.close()
    },
    (error: unknown) => log.error({ err: error }, 'the addresses of presence can not be followed'),
  )

  const close = async (): Promise<void> => {
    clearInterval(timer)
    replicas?.close()
    const open = [...links.values()].flatMap((link) => {
      const { ws, phase } = link
      link.ws = undefined
      if (ws === undefined) return []
      if (phase === 'open') {
        ws.send(JSON.stringify({ t: 'bye' } satisfies GatewayToPresence))
        ws.close(1000)
      } else {
        ws.terminate()
      }
      return [ws]
    })
    links.clear()
    const late = setTimeout(() => open.forEach((ws) => ws.terminate()), CLOSE_WAIT_MS)
    const stillOpen = open.filter((ws) => ws.readyState !== WebSocket.CLOSED)
    // Not `once` of events: it would reject for the error of a connection that never opened.
    await Promise.all(stillOpen.map((ws) => new Promise((resolve) => ws.once('close', resolve))))
    clearTimeout(late)
  }

  return {
    joined: (member) => {
      const before = members.get(member.sid)
      if (before?.room !== member.room) {
        if (before !== undefined) leaveRoom(before.room)
        rooms.set(member.room, (rooms.get(member.room) ?? 0) + 1)
      }
      members.set(member.sid, member)
      note(member.sid, before !== undefined)
    },
    left: (sid) => {
      const before = members.get(sid)
      if (before === undefined) return
      members.delete(sid)
      leaveRoom(before.room)
      note(sid, true)
    },
    connections: (connections) => {
      const { websocket, polling } = totals.connections
      if (websocket === connections.websocket && polling === connections.polling) return
      totals = { ...totals, connections: { ...connections } }
    },
    setDraining: (draining) => {
      if (draining !== totals.draining) totals = { ...totals, draining }
    },
    isKnown: () => isKnown,
    close: () => (closing ??= close()),
  }

  function leaveRoom(room: RoomId): void {
    const here = (rooms.get(room) ?? 0) - 1
    if (here > 0) {
      rooms.set(room, here)
      return
    }
    rooms.delete(room)
    told.delete(room)
    for (const { counts } of links.values()) counts.delete(room)
  }
}

function newLink(url: string): Link {
  return {
    url,
    ws: undefined,
    phase: 'waiting',
    atMs: 0,
    failures: 0,
    isListed: true,
    replica: undefined,
    n: 0,
    needsState: false,
    state: undefined,
    changes: new Map(),
    totals: undefined,
    ticksSinceReport: 0,
    ticksSincePing: 0,
    unansweredPings: 0,
    gateways: [],
    counts: new Map(),
  }
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
