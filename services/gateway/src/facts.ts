import type { TransportName } from '@roomcast/protocol'
import type { RepairReason } from '@roomcast/roomlog'
import type { Telemetry } from '@roomcast/runtime'

/** Why a connection ended, as a closed set. */
export const CLOSE_REASONS = [
  'client',
  'transport',
  'ping_timeout',
  'slow',
  'bad_packet',
  /** It went on sending far more than it may. */
  'flood',
  /** It did not enter a namespace in time. */
  'no_connect',
  /** The gateway ends. */
  'drain',
  /** It had too many connections. */
  'shed',
  'server',
] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

/** What a limit refused, as a closed set. */
export const REFUSALS = [
  /** A new connection of a page whose origin may not. */
  'origin',
  /** A new connection: there are as many as the gateway takes. */
  'full',
  /** A new connection: too many came to this gateway at a time. */
  'handshakes',
  /** A new connection: its address has as many as it may. */
  'address_connections',
  /** A new connection: too many came from its address in a short time. */
  'address_handshakes',
  /** A new connection while the gateway ends. */
  'ending',
  /** A new connection that is to go to another gateway. */
  'shed',
  /** A namespace beyond those that a connection may enter. */
  'rooms',
  /** An event of a connection that sent too much in a short time. */
  'events',
  /** A `say` of one socket. */
  'says',
  /** A `say` in a room in which too much is said. */
  'room_messages',
  /** A `join` of one socket. */
  'joins',
  /** A `join` from one address. */
  'address_joins',
  /** A `join` of a user with as many connections as he may have. */
  'user_connections',
  'history',
  'members',
] as const
export type Refused = (typeof REFUSALS)[number]

/** What is true now, for the gauges. */
export interface Levels {
  readonly connections: Readonly<Record<TransportName, number>>
  readonly members: number
  readonly rooms: number
  readonly outboxMessages: number
  readonly waitingHandshakes: number
}

/** How attempts to recover a session ended. */
export const RECOVERY_RESULTS = [
  'recovered',
  /** No such session, or no more. */
  'expired',
  /** The log is another, or lost its tail. */
  'other_log',
  /** Messages that were missed are no longer in the log. */
  'trimmed',
  /** More were missed than `RECOVERY_MAX_MESSAGES`. */
  'too_many',
  /** The id or offset is not one that a server made, or of another namespace. */
  'invalid',
  /** Another connection took the session at the same moment. */
  'raced',
  /** The store did not answer; the client tries again. */
  'unavailable',
] as const
export type RecoveryResult = (typeof RECOVERY_RESULTS)[number]

/** One function per fact that operators count. Hot ones add to plain numbers, which a scrape reads. */
export interface Facts {
  messageReceived(): void
  /** Messages written to one member, by the way that they took. */
  delivered(path: 'direct' | 'engine', messages: number): void
  /** Logged messages that a recovered member had missed. */
  replayed(messages: number): void
  recovery(result: RecoveryResult): void
  /** A stray request was sent on to the gateway that it is for. */
  forwarded(kind: 'request' | 'upgrade'): void
  /** Seconds from the append to the write towards the members. */
  deliveryLatency(seconds: number): void
  connectionClosed(reason: CloseReason): void
  refused(what: Refused): void
  feedRepaired(reason: RepairReason): void
  /** A feed found that entries before its next one are no longer in the log. */
  entriesLost(): void
}

/** From a quarter of a millisecond to ten seconds. */
const LATENCY_BUCKETS = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

export function createFacts({ meter }: Telemetry, levels: () => Levels): Facts {
  let received = 0
  const deliveries = { direct: 0, engine: 0 }
  let replays = 0

  meter
    .createObservableGauge('roomcast_gateway_connections', {
      description: 'Open connections, in a room or not, by transport.',
    })
    .addCallback((result) => {
      for (const [transport, n] of Object.entries(levels().connections))
        result.observe(n, { transport })
    })
  meter
    .createObservableGauge('roomcast_gateway_members', { description: 'Sockets in rooms.' })
    .addCallback((result) => result.observe(levels().members))
  meter
    .createObservableGauge('roomcast_gateway_rooms', {
      description: 'Rooms with members on this gateway.',
    })
    .addCallback((result) => result.observe(levels().rooms))
  meter
    .createObservableGauge('roomcast_gateway_outbox_messages', {
      description: 'Messages that wait for a broker, those under way included.',
    })
    .addCallback((result) => result.observe(levels().outboxMessages))
  meter
    .createObservableGauge('roomcast_gateway_waiting_handshakes', {
      description: 'New connections that wait for their turn.',
    })
    .addCallback((result) => result.observe(levels().waitingHandshakes))
  meter
    .createObservableCounter('roomcast_gateway_messages_received', {
      description: '`say`s that were accepted.',
    })
    .addCallback((result) => result.observe(received))
  meter
    .createObservableCounter('roomcast_gateway_deliveries', {
      description:
        'Messages of rooms written to a member, by the path that they took: straight to its TCP socket, through Engine.IO, or replayed to one who came back.',
    })
    .addCallback((result) => {
      result.observe(deliveries.direct, { path: 'direct' })
      result.observe(deliveries.engine, { path: 'engine' })
      result.observe(replays, { path: 'replay' })
    })
  const latency = meter.createHistogram('roomcast_gateway_delivery_latency_seconds', {
    description: 'From the append to the log to the write towards the members of a room.',
    advice: { explicitBucketBoundaries: LATENCY_BUCKETS },
  })
  const closed = meter.createCounter('roomcast_gateway_closed', {
    description: 'Connections that ended, by reason.',
  })
  const refusals = meter.createCounter('roomcast_gateway_refused', {
    description: 'What was refused because of a limit, by which.',
  })
  const gaps = meter.createCounter('roomcast_gateway_gaps', {
    description:
      'Times that a room was read from the log because its feed had a gap or was interrupted, by reason.',
  })
  const recoveries = meter.createCounter('roomcast_gateway_recoveries', {
    description: 'Attempts of clients to go on with a session, by how they ended.',
  })
  const forwards = meter.createCounter('roomcast_gateway_forwarded_requests', {
    description: 'Polling requests and upgrades sent on to the gateway that holds their session.',
  })
  const lost = meter.createCounter('roomcast_gateway_lost', {
    description: 'Times that messages were no longer in the log when a feed came to read them.',
  })
  // A counter that was never touched is absent from a scrape; operators should see a zero.
  for (const reason of CLOSE_REASONS) closed.add(0, { reason })
  for (const reason of REFUSALS) refusals.add(0, { reason })
  for (const reason of ['gap', 'resumed', 'behind'] satisfies RepairReason[])
    gaps.add(0, { reason })
  for (const result of RECOVERY_RESULTS) recoveries.add(0, { result })
  for (const kind of ['request', 'upgrade']) forwards.add(0, { kind })
  lost.add(0)

  return {
    messageReceived: () => received++,
    delivered: (path, messages) => void (deliveries[path] += messages),
    forwarded: (kind) => forwards.add(1, { kind }),
    replayed: (messages) => (replays += messages),
    recovery: (result) => recoveries.add(1, { result }),
    deliveryLatency: (seconds) => latency.record(seconds),
    connectionClosed: (reason) => closed.add(1, { reason }),
    refused: (reason) => refusals.add(1, { reason }),
    feedRepaired: (reason) => gaps.add(1, { reason }),
    entriesLost: () => lost.add(1),
  }
}
