import {
  REPORT_DIFF_INTERVAL_MS,
  type GatewayInfo,
  type GatewayTotals,
  type ReportedMember,
  type RoomId,
  type Shed,
} from '@roomcast/protocol'
import { watchReplicas, type InternalAccess, type Log, type Replicas } from '@roomcast/runtime'
import { openReportLink, type Hearsay, type ReportLink } from './report-link.ts'

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
  readonly internal: Pick<InternalAccess, 'headers'>
  readonly gateway: GatewayInfo
  readonly log: Log
  readonly now: () => number
  /**
   * Milliseconds in which `now` grows by `REPORT_DIFF_INTERVAL_MS`: how often what changed is told. Less than that interval, which is
   * the default, only under a clock that runs faster.
   */
  readonly tickMs?: number
  /**
   * The gateways that any replica hears, this one included; called when that changes. An outage of presence takes none away:
   * those known before it stay until a replica is back for so long that it knows them all (`ReportLink.isSettled`).
   */
  readonly onGateways: (gateways: readonly GatewayInfo[]) => void
  /** Members in the whole cluster, of rooms that this gateway occupies and whose count changed. From one replica at a time. */
  readonly onCounts: (counts: readonly (readonly [RoomId, number])[]) => void
  /** Presence's leader wants connections to move elsewhere. */
  readonly onShed: (shed: Shed) => void
  /** It wants this gateway to announce the members of those that are not among `living`. */
  readonly onAnnounce: (living: readonly string[]) => void
}

/** An address of presence, and what the replica there told since its link opened. */
interface Place {
  readonly link: ReportLink
  /** One that is no longer listed is left as it is until its connection ends. */
  isListed: boolean
  gateways: readonly GatewayInfo[]
  readonly counts: Map<RoomId, number>
}

/** Reports this gateway to every replica of presence, and listens to them. */
export function startReporter(options: ReporterOptions): Reporter {
  const { presenceUrls, internal, gateway, log, now } = options
  const { onGateways, onCounts, onShed, onAnnounce } = options
  const { tickMs = REPORT_DIFF_INTERVAL_MS } = options
  const members = new Map<string, ReportedMember>()
  /** Own members by room. */
  const rooms = new Map<RoomId, number>()
  let totals: GatewayTotals = { connections: { websocket: 0, polling: 0 }, draining: false }
  /** By URL. */
  const places = new Map<string, Place>()
  /** The one whose counts are passed on. */
  let listening: Place | undefined
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

  const tell = (counts: Iterable<readonly [RoomId, number]>): void => {
    const news = [...counts].filter(([room, online]) => told.get(room) !== online)
    for (const [room, online] of news) told.set(room, online)
    if (news.length > 0) onCounts(news)
  }

  const isSettled = (): boolean => [...places.values()].some(({ link }) => link.isSettled())

  const tellGateways = (): void => {
    if (isSettled()) kept = []
    const all = [...kept, ...[...places.values()].flatMap(({ gateways }) => gateways)]
    const next = [...new Map(all.map((info) => [info.instance, info])).values()]
    next.sort((a, b) => (a.instance < b.instance ? -1 : 1))
    if (JSON.stringify(next) === JSON.stringify(known)) return
    known = next
    onGateways(known)
  }

  const hear = (place: Place, hearsay: Hearsay): void => {
    if (hearsay.t === 'gateways') {
      place.gateways = hearsay.gateways
      isKnown ||= hearsay.gateways.some(({ instance }) => instance === gateway.instance)
      tellGateways()
      return
    }
    if (hearsay.t === 'shed') {
      onShed(hearsay)
      return
    }
    if (hearsay.t === 'announce') {
      onAnnounce(hearsay.living)
      return
    }
    const counts = hearsay.counts.filter(([room]) => rooms.has(room))
    for (const [room, online] of counts) place.counts.set(room, online)
    // A young replica tells none: the first that does knows the cluster.
    listening ??= place
    if (listening === place) tell(counts)
  }

  const forget = (url: string, place: Place): void => {
    place.gateways = []
    place.counts.clear()
    if (!place.isListed) places.delete(url)
    if (listening === place) {
      listening = [...places.values()].find(({ counts }) => counts.size > 0)
      if (listening !== undefined) tell(listening.counts)
    }
    if (!isSettled()) kept = known
    tellGateways()
  }

  const open = (url: string): Place => {
    const link = openReportLink({
      url,
      internal,
      gateway,
      members,
      totals: () => totals,
      clock: () => clockMs,
      log,
      isTaken: (replica) => [...places.values()].some(({ link }) => link.replica() === replica),
      onHeard: (hearsay) => hear(place, hearsay),
      onEnded: () => forget(url, place),
    })
    const place: Place = { link, isListed: true, gateways: [], counts: new Map() }
    return place
  }

  const follow = (urls: readonly string[]): void => {
    if (closing !== undefined) return
    for (const url of urls) if (!places.has(url)) places.set(url, open(url))
    for (const [url, place] of places) {
      place.isListed = urls.includes(url)
      if (place.isListed || place.link.replica() !== undefined) continue
      places.delete(url)
      void place.link.close()
    }
  }

  const timer = setInterval(() => {
    clockMs += Math.min(Math.max(now() - lastNow, 0), 2 * REPORT_DIFF_INTERVAL_MS)
    lastNow = now()
    for (const { link } of places.values()) link.tick()
    if (kept.length > 0) tellGateways()
  }, tickMs)
  watchReplicas(presenceUrls, follow).then(
    (watched) => {
      replicas = watched
      if (closing !== undefined) watched.close()
    },
    (error: unknown) => log.error({ err: error }, 'the addresses of presence can not be followed'),
  )

  const note = (sid: string, wasKnown: boolean): void => {
    for (const { link } of places.values()) link.note(sid, wasKnown)
  }

  const leaveRoom = (room: RoomId): void => {
    const here = (rooms.get(room) ?? 0) - 1
    if (here > 0) {
      rooms.set(room, here)
      return
    }
    rooms.delete(room)
    told.delete(room)
    for (const { counts } of places.values()) counts.delete(room)
  }

  const close = async (): Promise<void> => {
    clearInterval(timer)
    replicas?.close()
    const links = [...places.values()].map(({ link }) => link)
    places.clear()
    await Promise.all(links.map((link) => link.close()))
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
}
