import { ERROR_CODES, type ErrorCode, type GatewayInfo } from '@roomcast/protocol'
import type { Log, Telemetry } from '@roomcast/runtime'
import type { PresenceState } from './state.ts'
import { statsOf } from './views.ts'

/** What happens in this service: one function per fact, each its counter and its log line. */
export interface Facts {
  /** A request was answered with a problem. */
  requestRefused(code: ErrorCode): void
  stateAsked(instance: string | undefined): void
  leaseExpired(gateway: GatewayInfo): void
  linkRefused(instance: string | undefined, code: number, reason: string): void
  streamTooSlow(): void
}

/** Registers the service's instruments. The gauges read the state whenever they are scraped. */
export function createFacts({
  state,
  streams,
  telemetry: { meter },
  log,
}: {
  readonly state: PresenceState
  /** How many event streams are open. */
  readonly streams: () => number
  readonly telemetry: Telemetry
  readonly log: Log
}): Facts {
  const connections = meter.createObservableGauge('roomcast_presence_connections', {
    description: 'Connections of each gateway, as it reports them.',
  })
  connections.addCallback((result) => {
    const byPod = new Map<string, number>()
    for (const { info, totals } of state.gateways.values()) {
      const { websocket, polling } = totals.connections
      byPod.set(info.pod, (byPod.get(info.pod) ?? 0) + websocket + polling)
    }
    for (const [gateway, count] of byPod) result.observe(count, { gateway })
  })
  const gauge = (name: string, description: string, read: () => number): void =>
    meter
      .createObservableGauge(name, { description })
      .addCallback((result) => result.observe(read()))
  gauge('roomcast_presence_rooms', 'Rooms with a member.', () => statsOf(state).rooms)
  gauge(
    'roomcast_presence_members',
    'Sockets in rooms, each counted once.',
    () => statsOf(state).members,
  )
  gauge('roomcast_presence_reporting_gateways', 'Gateways that report.', () => state.gateways.size)
  gauge('roomcast_presence_streams', 'Open event streams.', streams)

  const resends = meter.createCounter('roomcast_presence_resends', {
    description: 'Times that a gateway was asked for its whole state.',
  })
  const expiredLeases = meter.createCounter('roomcast_presence_expired_leases', {
    description: 'Gateways forgotten because they were silent.',
  })
  const refusedLinks = meter.createCounter('roomcast_presence_refused_links', {
    description: 'Report connections ended because of what came over them.',
  })
  const slowStreams = meter.createCounter('roomcast_presence_slow_streams', {
    description: 'Event streams that were ended because their client did not keep up.',
  })
  // A counter that was never touched is absent from a scrape; operators should see a zero.
  for (const counter of [resends, expiredLeases, refusedLinks, slowStreams]) counter.add(0)
  const refused = meter.createCounter('roomcast_presence_refused', {
    description: 'Requests to the HTTP API that were answered with a problem, by its code.',
  })
  for (const reason of Object.keys(ERROR_CODES)) refused.add(0, { reason })
  return {
    requestRefused: (reason) => refused.add(1, { reason }),
    stateAsked: (instance) => {
      resends.add(1)
      log.info({ instance }, 'asked a gateway for its whole state')
    },
    leaseExpired: ({ instance, pod }) => {
      expiredLeases.add(1)
      log.warn({ instance, pod }, 'a gateway was silent for longer than its lease')
    },
    linkRefused: (instance, code, reason) => {
      refusedLinks.add(1)
      log.warn({ instance, code, reason }, 'ended a report connection')
    },
    streamTooSlow: () => {
      slowStreams.add(1)
      log.debug('ended an event stream whose client did not keep up')
    },
  }
}
