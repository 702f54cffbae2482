import { once } from 'node:events'
import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'
import {
  GatewayToPresence,
  REPORT_PATH,
  type PresenceToGateway,
  type RoomId,
} from '@roomcast/protocol'
import { callerOf, type InternalAccess, type Log } from '@roomcast/runtime'
import { CountFeed } from './counts.ts'
import type { Facts } from './facts.ts'
import { isIn, ownersIn } from './roster.ts'
import {
  apply,
  GATEWAYS_MAX,
  type Effects,
  type LinkId,
  type PresenceEvent,
  type PresenceState,
} from './state.ts'
import { gatewayList } from './views.ts'

/** How often leases are looked at and counts and lists go out, in milliseconds. */
const TICK_MS = 50
/** Bytes of one frame: `REPORT_PART_MEMBERS` members with the longest ids and names. */
const FRAME_MAX_BYTES = 4 * 1_048_576
/** Bytes that may wait for a gateway that reads slowly. Over it nothing more is written; what it missed comes later, in its newest form. */
const UNSENT_MAX_BYTES = 4 * 1_048_576
/** Counts in one frame. */
const FRAME_COUNTS_MAX = 2_000
/** Open connections: each gateway's, and the one that it replaces. */
const LINKS_MAX = 2 * GATEWAYS_MAX
/** How long a connection may stay without a `hello`, in milliseconds. */
const HELLO_TIMEOUT_MS = 5_000
/**
 * Leases for which a connection stays when nothing comes over it. Its gateway has long begun another one, and of a network that was cut TCP
 * tells after a quarter of an hour.
 */
const SILENT_LEASES = 5
/** How long closing waits for gateways to answer, in milliseconds. */
const CLOSE_WAIT_MS = 1_000

interface Link {
  readonly id: LinkId
  readonly ws: WebSocket
  /** Rooms whose counts it is to be told. */
  readonly owedCounts: Set<RoomId>
  /** On the state's clock. */
  readonly openedAtMs: number
  heardAtMs: number
  isOwedList: boolean
  /** We ended it: what still comes is not heard. */
  isEnding: boolean
}

export interface Reports {
  /** Asks a gateway to send connections elsewhere; false when it is not there, or does not do that. */
  shed(instance: string, connections: number, withinMs: number): boolean
  /** Asks a gateway to announce the members of gateways that are not among `living`, when it does that. */
  announce(instance: string, living: readonly string[]): void
  close(): Promise<void>
}

/**
 * Listens to gateways at `REPORT_PATH` of the server and keeps the state by what they say. Internal callers alone; a frame that is not
 * of the protocol ends its connection (1008). Counts are told once the state is complete: a young replica knows too little.
 */
export function startReports({
  server,
  state,
  replica,
  internal,
  facts,
  log,
  now,
}: {
  readonly server: Server
  readonly state: PresenceState
  /** Name of this replica's process, new with each start. */
  readonly replica: string
  readonly internal: Pick<InternalAccess, 'admits'>
  readonly facts: Facts
  readonly log: Log
  readonly now: () => number
}): Reports {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_MAX_BYTES,
    perMessageDeflate: false,
  })
  const links = new Map<LinkId, Link>()
  const feed = new CountFeed()
  let lastId: LinkId = 0

  const instanceOf = ({ id }: Link): string | undefined => state.links.get(id)?.instance

  const end = (link: Link, code: number, reason: string): void => {
    link.isEnding = true
    facts.linkRefused(instanceOf(link), code, reason)
    link.ws.close(code, reason)
  }

  const act = (event: PresenceEvent, link?: Link): void => {
    const effects: Effects = apply(state, event, now())
    for (const gateway of effects.expired) facts.leaseExpired(gateway)
    for (const room of effects.counted) feed.changed(room)
    if (effects.hasNewGateways) for (const other of links.values()) other.isOwedList = true
    const superseded = effects.superseded === undefined ? undefined : links.get(effects.superseded)
    if (superseded !== undefined)
      end(superseded, 1008, 'a newer connection of this gateway took over')
    if (link === undefined) return
    // Whether the others are to be told or not: this one has not heard any count of it.
    for (const room of effects.entered) link.owedCounts.add(room)
    if (effects.refusal !== undefined) {
      end(link, effects.refusal.code, effects.refusal.reason)
    } else if (effects.resend) {
      facts.stateAsked(instanceOf(link))
      send(link, { t: 'resend' })
    }
  }

  const hear = (link: Link, data: RawData, isBinary: boolean): void => {
    if (link.isEnding) return
    link.heardAtMs = state.clockMs
    const frame = isBinary ? undefined : parseFrame(data)
    if (frame === undefined) end(link, 1008, 'not a frame of the report protocol')
    else act({ t: 'frame', link: link.id, frame }, link)
  }

  const accept = (ws: WebSocket): void => {
    const link: Link = {
      id: ++lastId,
      ws,
      owedCounts: new Set(),
      openedAtMs: state.clockMs,
      heardAtMs: state.clockMs,
      isOwedList: true,
      isEnding: false,
    }
    links.set(link.id, link)
    ws.on('message', (data, isBinary) => hear(link, data, isBinary))
    ws.on('error', (error) =>
      log.debug({ err: error, instance: instanceOf(link) }, 'report failed'),
    )
    ws.on('close', () => {
      links.delete(link.id)
      act({ t: 'closed', link: link.id })
    })
    // Before its hello, so that a gateway which reached one replica by two addresses can leave again unnoticed.
    send(link, { t: 'welcome', v: 1, replica })
  }

  const upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if ((req.url ?? '').split('?', 1)[0] !== REPORT_PATH) refuse(socket, 404)
    else if (!internal.admits(callerOf(req.headers, req.socket))) refuse(socket, 401)
    else if (links.size >= LINKS_MAX) refuse(socket, 503)
    else sockets.handleUpgrade(req, socket, head, accept)
  }

  /** The way to a gateway that knows what it is asked. */
  const linkOf = (instance: string, ability: 'sheds' | 'announces'): Link | undefined => {
    const gateway = state.gateways.get(instance)
    const link = gateway?.info[ability] === true ? links.get(gateway.link) : undefined
    return link === undefined || link.isEnding ? undefined : link
  }

  /** What each gateway is owed of the rooms that are due. */
  const owe = (): void => {
    const { rooms } = state.roster
    for (const id of feed.take(state.clockMs, (room) => rooms.get(room)?.online)) {
      const room = rooms.get(id)
      if (room === undefined) continue
      for (const gateway of ownersIn(room).keys()) links.get(gateway.link)?.owedCounts.add(id)
    }
  }

  /** The counts of the rooms that a gateway is owed and has not left. */
  const countsFor = ({ id, owedCounts }: Link): [RoomId, number][] => {
    const gateway = state.gateways.get(state.links.get(id)?.instance ?? '')
    const counts: [RoomId, number][] = []
    for (const id of owedCounts) {
      const room = state.roster.rooms.get(id)
      if (gateway !== undefined && room !== undefined && isIn(gateway, room))
        counts.push([id, room.online])
    }
    owedCounts.clear()
    return counts
  }

  const tick = (): void => {
    act({ t: 'tick' })
    if (state.isComplete) owe()
    let list: string | undefined
    for (const link of links.values()) {
      if (state.clockMs - link.heardAtMs > SILENT_LEASES * state.leaseMs) {
        link.ws.terminate()
        continue
      }
      if (link.isEnding || link.ws.bufferedAmount > UNSENT_MAX_BYTES) continue
      if (!state.links.has(link.id)) {
        if (state.clockMs - link.openedAtMs > HELLO_TIMEOUT_MS) end(link, 1008, 'no hello came')
        continue
      }
      if (link.isOwedList) {
        link.isOwedList = false
        // One text for all: it may be long, and all are owed it at the same time.
        list ??= frameText({ t: 'gateways', gateways: gatewayList(state) })
        link.ws.send(list)
      }
      if (!state.isComplete) continue
      const counts = countsFor(link)
      for (let at = 0; at < counts.length; at += FRAME_COUNTS_MAX) {
        send(link, { t: 'counts', counts: counts.slice(at, at + FRAME_COUNTS_MAX) })
      }
    }
  }

  server.on('upgrade', upgrade)
  const timer = setInterval(tick, TICK_MS)
  return {
    shed: (instance, connections, withinMs) => {
      const link = linkOf(instance, 'sheds')
      if (link === undefined) return false
      send(link, { t: 'shed', connections, withinMs })
      return true
    },
    announce: (instance, living) => {
      const link = linkOf(instance, 'announces')
      if (link !== undefined) send(link, { t: 'announce', living: [...living] })
    },
    close: async () => {
      clearInterval(timer)
      server.off('upgrade', upgrade)
      const closed = [...links.values()].map(async ({ ws }) => {
        // 1001: going away, come back elsewhere.
        ws.close(1001)
        if (ws.readyState !== ws.CLOSED) await once(ws, 'close')
      })
      const late = setTimeout(() => {
        for (const { ws } of links.values()) ws.terminate()
      }, CLOSE_WAIT_MS)
      await Promise.all(closed)
      clearTimeout(late)
    },
  }
}

/** What a gateway sent; undefined when it is not of the protocol. */
export function parseFrame(data: RawData): GatewayToPresence | undefined {
  try {
    // A Buffer always: `binaryType` is left at its default.
    return GatewayToPresence.parse(JSON.parse((data as Buffer).toString()))
  } catch {
    // The reason tells nothing that the sender could act on; its connection is ended and that is logged.
    return undefined
  }
}

function frameText(frame: PresenceToGateway): string {
  return JSON.stringify(frame)
}

function send({ ws }: Link, frame: PresenceToGateway): void {
  ws.send(frameText(frame))
}

function refuse(socket: Duplex, status: 401 | 404 | 503): void {
  socket.on('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
  )
}
