import { formatOffset, type Message, type Position, type RoomId } from '@roomcast/protocol'
import type { Run } from '@roomcast/roomlog'
import { createBacklog } from './backlog.ts'
import { terminate, unsentBytes } from './engine/connection.ts'
import { laneOf, writeBytes, type Lane } from './engine/lanes.ts'
import { writePacket, type SharedPackets } from './engine/packets.ts'
import type { Facts } from './facts.ts'
import type { EndDelivery } from './message-traces.ts'
import { restAfter, type Pacing } from './pacing.ts'
import type { ChatSocket } from './sockets.ts'

/** What a room may have waiting, in characters; when it has more, all of it goes out at once. */
const BACKLOG_MAX_CHARS = 1_048_576
/** A rest that is shorter than this is taken as over, in milliseconds: a timer could not keep it. */
const SHORTEST_REST_MS = 0.5
/** How long a round writes before everything else gets its turn, in milliseconds. */
const SLICE_MS = 2

/** A member, as the fan-out sees it. What is not read-only is the fan-out's own. */
export interface Receiver {
  readonly socket: ChatSocket
  /** The way to its websocket, once it was found. */
  lane: Lane | undefined
  /** How many of the room's messages, since it is open here, it was told or are not for it. */
  told: number
}

export const NEW_RECEIVER = { lane: undefined, told: 0 } as const

/** Begins the span of a delivery, where the message is traced; it is ended after the round that wrote it. */
export type TraceDelivery = (traceparent: string) => EndDelivery | undefined

/**
 * How messages reach the members of the rooms here. The cost of telling a large room is one system call for each member, whatever it
 * writes, so a room's messages go out in rounds: what arrives in one turn of the event loop together (natural batching), and after a
 * round the room rests in proportion to what the round cost (see `restAfter`). A long round lets the event loop turn now and then, and
 * whoever it comes to after that gets what arrived meanwhile as well: nobody waits longer than one round and one rest.
 *
 * What a round writes is encoded once, into one Buffer for all members of a namespace that were told as far. A member on a plain
 * websocket for which Engine.IO has nothing waiting gets it by one write to its TCP socket; everybody else gets its packets the ordinary
 * Engine.IO way. Both end in the same TCP socket, in the order in which they were called, so that each member's order is the room's.
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

/** What is known of messages that arrived together, to be noted when the last member was told of them. */
interface Arrival {
  /** The number after its last message's. */
  readonly upTo: number
  /** When the log took it, by its clock. */
  readonly at: number | undefined
  /** Spans of its traced messages. */
  readonly traced: readonly EndDelivery[]
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
  /** What rooms do in this turn of the event loop. */
  let due: (() => void)[] = []

  const runDue = (): void => {
    const slices = due
    due = []
    for (const slice of slices) slice()
  }
  const inThisTurn = (slice: () => void): void => {
    if (due.push(slice) === 1) setImmediate(runDue)
  }

  /** Writes packets to one member. */
  const write = (receiver: Receiver, packets: SharedPackets): void => {
    const { socket } = receiver
    // Looked at before the write: one large round is no sign of a slow reader, what is left of earlier ones is.
    if (unsentBytes(socket) > slowClientBytes) {
      onSlow(socket)
      terminate(socket)
      return
    }
    receiver.lane = laneOf(socket, receiver.lane)
    if (receiver.lane !== undefined && writeBytes(receiver.lane, packets.bytes)) {
      facts.delivered('direct', packets.count)
      return
    }
    for (let i = 0; i < packets.count; i++) writePacket(socket, packets.at(i))
    facts.delivered('engine', packets.count)
  }

  const open = (traceDelivery?: TraceDelivery): RoomFanout<R> => {
    const audience = new Map<string, Set<R>>()
    const backlog = createBacklog()
    /** In their order. */
    const arrivals: Arrival[] = []
    /** The round that is under way. */
    let round: Round<R> | undefined
    let restsUntil = -Infinity
    let isScheduled = false
    let timer: NodeJS.Timeout | undefined

    function* receivers(): Generator<R, undefined> {
      for (const among of audience.values()) yield* among
    }

    /** Begins or continues a round, for `budget` milliseconds. */
    const tellFor = (budget: number): void => {
      isScheduled = false
      if (backlog.isEmpty()) return
      const current = (round ??= { walk: receivers(), from: backlog.head(), cost: 0 })
      const { walk } = current
      const head = backlog.head()
      const started = clock()
      let spent = 0
      for (let next = walk.next(); next.done !== true; next = walk.next()) {
        const receiver = next.value
        if (receiver.told === head) continue
        write(receiver, backlog.packets(receiver.socket.nsp.name, receiver.told))
        // The last member was too slow: with its end the room has closed, and told what there was.
        if (round !== current) return
        receiver.told = head
        spent = clock() - started
        if (spent < budget) continue
        current.cost += spent
        isScheduled = true
        inThisTurn(slice)
        return
      }
      end(current, clock() - started)
    }
    const slice = (): void => tellFor(SLICE_MS)
    const sliceAfterRest = (): void => {
      timer = undefined
      slice()
    }

    /** Every member was visited since `from` was the head. */
    const end = ({ from, cost }: Round<R>, spent: number): void => {
      round = undefined
      backlog.forget(from)
      noteArrivals(from)
      restsUntil = clock() + restAfter(cost + spent, pacing)
      schedule()
    }
    const noteArrivals = (upTo: number): void => {
      for (let [first] = arrivals; first !== undefined && first.upTo <= upTo; [first] = arrivals) {
        arrivals.shift()
        if (first.at !== undefined) facts.deliveryLatency(Math.max(0, now() - first.at) / 1_000)
        for (const endDelivery of first.traced) endDelivery(memberCount())
      }
    }
    const memberCount = (): number => {
      let members = 0
      for (const among of audience.values()) members += among.size
      return members
    }

    const schedule = (): void => {
      if (isScheduled || backlog.isEmpty()) return
      isScheduled = true
      const rest = restsUntil - clock()
      if (rest < SHORTEST_REST_MS) inThisTurn(slice)
      else timer = setTimeout(sliceAfterRest, rest)
    }
    /** Tells everybody everything now. */
    const flush = (): void => {
      clearTimeout(timer)
      while (!backlog.isEmpty()) tellFor(Infinity)
    }
    /** Something more waits. */
    const added = (): void => {
      if (backlog.size() < BACKLOG_MAX_CHARS) schedule()
      else flush()
    }

    return {
      deliver({ epoch, entries, at, traces }) {
        const traced: EndDelivery[] = []
        if (traces !== undefined && traceDelivery !== undefined) {
          const first = entries[0]?.seq ?? 0
          for (const [seq, place] of traces) {
            const endDelivery = seq < first ? undefined : traceDelivery(place)
            if (endDelivery !== undefined) traced.push(endDelivery)
          }
        }
        for (const { payload, seq } of entries) {
          backlog.add(messageBody(payload, { epoch, seq }))
        }
        arrivals.push({ upTo: backlog.head(), at, traced })
        added()
      },
      tell(message) {
        backlog.add(JSON.stringify(['message', message]))
        added()
      },
      admit(receiver) {
        const namespace = receiver.socket.nsp.name
        const among = audience.get(namespace) ?? new Set<R>()
        audience.set(namespace, among.add(receiver))
        receiver.told = backlog.head()
      },
      remove(receiver) {
        const namespace = receiver.socket.nsp.name
        const among = audience.get(namespace)
        among?.delete(receiver)
        if (among?.size === 0) audience.delete(namespace)
      },
      has: (receiver) => audience.get(receiver.socket.nsp.name)?.has(receiver) === true,
      receivers,
      close: flush,
    }
  }
  return { open }
}

/** One visit to each member. */
interface Round<R> {
  readonly walk: Generator<R, undefined>
  /** The number of the next message when it began: whoever was visited was told everything before it. */
  readonly from: number
  /** What its slices took so far, in milliseconds. */
  cost: number
}

/** The body of the packet that carries a logged message, with its offset as the last argument. */
export function messageBody(payload: string, position: Position): string {
  return `["message",${payload},"${formatOffset(position)}"]`
}

/** A `count` message. */
export function countMessage(room: RoomId, online: number): Message<'count'> {
  return { event: 'count', room, data: { online } }
}
