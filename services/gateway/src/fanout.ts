import { formatOffset, type Message, type Position, type RoomId } from '@roomcast/protocol'
import type { Run } from '@roomcast/roomlog'
import { terminate, unsentBytes } from './engine/connection.ts'
import { laneOf, writeBytes, type Lane } from './engine/lanes.ts'
import { sharePackets, writePacket, type SharedPackets } from './engine/packets.ts'
import type { Facts } from './facts.ts'
import type { EndDelivery } from './message-traces.ts'
import { restAfter, type Pacing } from './pacing.ts'
import type { ChatSocket } from './sockets.ts'

/** What a room may gather for one round, in characters; a round that has more goes out at once. */
const ROUND_MAX_CHARS = 1_048_576
/** A rest that is shorter than this is taken as over, in milliseconds: a timer could not keep it. */
const SHORTEST_REST_MS = 0.5

/** A member, as the fan-out sees it. What is not read-only is the fan-out's own. */
export interface Receiver {
  readonly socket: ChatSocket
  /** The way to its websocket, once it was found. */
  lane: Lane | undefined
  /** How many of the messages that wait for the next round are not for it: it was admitted after them. */
  skips: number
}

export const NEW_RECEIVER = { lane: undefined, skips: 0 } as const

/** Begins the span of a delivery, where the message is traced; it is ended after the round that wrote it. */
export type TraceDelivery = (traceparent: string) => EndDelivery | undefined

/**
 * How messages reach the members of the rooms here. The cost of telling a large room is one system call for each member, whatever it
 * writes, so a room's messages go out in rounds: what arrives in one turn of the event loop together (natural batching), and after a
 * round the room rests in proportion to what the round cost (see `restAfter`).
 *
 * A round is encoded once, into one Buffer for all members of a namespace. A member on a plain websocket for which Engine.IO has nothing
 * waiting gets it by one write to its TCP socket; everybody else gets its packets the ordinary Engine.IO way. Both end in the same
 * TCP socket, in the order in which they were called, so that each member's order is the room's.
 */
export interface Fanout<R extends Receiver> {
  open(traceDelivery?: TraceDelivery): RoomFanout<R>
}

export interface RoomFanout<R extends Receiver> {
  /** Logged messages, to every member, in their order with all others of the room. */
  deliver(run: Run): void
  /** A message that is not logged. */
  tell(message: Message<'count'>): void
  /** From now on: what was delivered before this call does not reach it. */
  admit(receiver: R): void
  remove(receiver: R): void
  has(receiver: R): boolean
  receivers(): Iterable<R>
  /** Sends what waits and ends. */
  close(): void
}

export function createFanout<R extends Receiver>(options: {
  readonly pacing: Pacing
  readonly slowClientBytes: number
  readonly facts: Facts
  /** The time of day, to tell how old messages are. */
  readonly now: () => number
  /** For durations, in milliseconds. */
  readonly clock: () => number
  readonly onSlow: (socket: ChatSocket) => void
}): Fanout<R> {
  const { pacing, slowClientBytes, facts, now, clock, onSlow } = options
  /** Rooms whose round is in this turn of the event loop. */
  let due: (() => void)[] = []

  const runDue = (): void => {
    const rounds = due
    due = []
    for (const round of rounds) round()
  }
  const inThisTurn = (round: () => void): void => {
    if (due.push(round) === 1) setImmediate(runDue)
  }

  /** Writes a round to one member. */
  const write = (receiver: Receiver, packets: SharedPackets): void => {
    const { socket, skips } = receiver
    // Looked at before the write: one large round is no sign of a slow reader, what is left of earlier ones is.
    if (unsentBytes(socket) > slowClientBytes) {
      onSlow(socket)
      terminate(socket)
      return
    }
    receiver.lane = laneOf(socket, receiver.lane)
    if (skips === 0 && receiver.lane !== undefined && writeBytes(receiver.lane, packets.bytes)) {
      facts.delivered('direct', packets.count)
      return
    }
    for (let i = skips; i < packets.count; i++) writePacket(socket, packets.at(i))
    facts.delivered('engine', packets.count - skips)
  }

  const open = (traceDelivery?: TraceDelivery): RoomFanout<R> => {
    const audience = new Map<string, Set<R>>()
    let bodies: string[] = []
    let size = 0
    /** When the log took the batches of this round, by its clock. */
    let appendedAt: number[] = []
    /** Spans of traced messages of this round. */
    let traced: EndDelivery[] = []
    /** Admitted while messages waited that are not for them. */
    let late: Receiver[] = []
    let restsUntil = -Infinity
    let isScheduled = false
    let timer: NodeJS.Timeout | undefined

    const round = (): void => {
      isScheduled = false
      if (bodies.length === 0) return
      const started = clock()
      for (const [namespace, receivers] of audience) {
        const packets = sharePackets(packetPrefix(namespace), bodies)
        for (const receiver of receivers) write(receiver, packets)
      }
      for (const at of appendedAt) facts.deliveryLatency(Math.max(0, now() - at) / 1_000)
      for (const receiver of late) receiver.skips = 0
      if (traced.length > 0) endTraced()
      bodies = []
      size = 0
      appendedAt = []
      late = []
      const ended = clock()
      restsUntil = ended + restAfter(ended - started, pacing)
    }
    const endTraced = (): void => {
      let members = 0
      for (const receivers of audience.values()) members += receivers.size
      for (const end of traced) end(members)
      traced = []
    }
    const roundAfterRest = (): void => {
      timer = undefined
      round()
    }

    const add = (body: string): void => {
      bodies.push(body)
      size += body.length
    }
    const schedule = (): void => {
      if (size >= ROUND_MAX_CHARS) round()
      if (isScheduled || bodies.length === 0) return
      isScheduled = true
      const rest = restsUntil - clock()
      if (rest < SHORTEST_REST_MS) inThisTurn(round)
      else timer = setTimeout(roundAfterRest, rest)
    }

    return {
      deliver({ epoch, entries, at, traces }) {
        if (traces !== undefined && traceDelivery !== undefined) {
          const first = entries[0]?.seq ?? 0
          for (const [seq, place] of traces) {
            const end = seq < first ? undefined : traceDelivery(place)
            if (end !== undefined) traced.push(end)
          }
        }
        for (const { payload, seq } of entries) {
          add(messageBody(payload, { epoch, seq }))
        }
        if (at !== undefined) appendedAt.push(at)
        schedule()
      },
      tell(message) {
        add(JSON.stringify(['message', message]))
        schedule()
      },
      admit(receiver) {
        const namespace = receiver.socket.nsp.name
        const receivers = audience.get(namespace) ?? new Set<R>()
        audience.set(namespace, receivers.add(receiver))
        if (bodies.length === 0) return
        receiver.skips = bodies.length
        late.push(receiver)
      },
      remove(receiver) {
        const namespace = receiver.socket.nsp.name
        const receivers = audience.get(namespace)
        receivers?.delete(receiver)
        if (receivers?.size === 0) audience.delete(namespace)
      },
      has: (receiver) => audience.get(receiver.socket.nsp.name)?.has(receiver) === true,
      *receivers() {
        for (const receivers of audience.values()) yield* receivers
      },
      close() {
        clearTimeout(timer)
        round()
      },
    }
  }
  return { open }
}

/** Begins a Socket.IO EVENT packet (protocol 5, and 4 for v2 clients): its type, and the namespace unless it is the main one. */
export function packetPrefix(namespace: string): string {
  return namespace === '/' ? '2' : `2${namespace},`
}

/** The body of the packet that carries a logged message, with its offset as the last argument. */
export function messageBody(payload: string, position: Position): string {
  return `["message",${payload},"${formatOffset(position)}"]`
}

/** A `count` message. */
export function countMessage(room: RoomId, online: number): Message<'count'> {
  return { event: 'count', room, data: { online } }
}
