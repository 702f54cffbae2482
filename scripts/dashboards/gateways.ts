import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { page, type Row } from './page.ts'
import { lines } from './panels.ts'
import { CHOSEN, maxBy, quantileBy, rateBy, sumBy } from './queries.ts'

/** A metric of gateways, of the chosen ones. */
const chosen = (name: string, where = CHOSEN) => ({ name, of: 'gateway', where }) as const
const byPod = { legend: '{{pod}}' } as const

const connections: Row = {
  title: 'Connections',
  panels: [
    lines({
      title: 'Connections',
      description: 'Open connections of each gateway.',
      unit: 'short',
      width: 12,
      queries: [{ expr: sumBy('pod', chosen('roomcast_gateway_connections')), ...byPod }],
    }),
    lines({
      title: 'Ready',
      description:
        '1: it takes new connections. 0: it starts, ends, or presence has not told the others of it yet.',
      unit: 'short',
      width: 6,
      queries: [{ expr: maxBy('pod', chosen('roomcast_ready')), ...byPod }],
    }),
    lines({
      title: 'Draining',
      description: '1 from when a gateway is told to end.',
      unit: 'short',
      width: 6,
      queries: [{ expr: maxBy('pod', chosen('roomcast_gateway_draining')), ...byPod }],
    }),
    lines({
      title: 'Opened',
      description: 'Connections a second. Uneven for long: the load balancer prefers some.',
      unit: 'cps',
      width: 12,
      queries: [{ expr: rateBy('pod', chosen('roomcast_gateway_opened_total')), ...byPod }],
    }),
    lines({
      title: 'Closed',
      description: 'Connections a second, for whatever reason.',
      unit: 'cps',
      width: 12,
      queries: [{ expr: rateBy('pod', chosen('roomcast_gateway_closed_total')), ...byPod }],
    }),
    lines({
      title: 'Closed, by reason',
      description: 'Connections a second of the chosen gateways together.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('reason', chosen('roomcast_gateway_closed_total')),
          legend: '{{reason}}',
        },
      ],
    }),
    lines({
      title: 'Requests sent on',
      description:
        'Polling requests and upgrades a second that came to another gateway than that of their session: what affinity saves.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('kind', chosen('roomcast_gateway_forwarded_requests_total')),
          legend: '{{kind}}',
        },
      ],
    }),
  ],
}

const rooms: Row = {
  title: 'Rooms and messages',
  panels: [
    lines({
      title: 'Rooms',
      description: 'A room with members on several gateways is one of each of them.',
      unit: 'short',
      width: 12,
      queries: [{ expr: sumBy('pod', chosen('roomcast_gateway_rooms')), ...byPod }],
    }),
    lines({
      title: 'Members',
      description: 'Sockets in rooms. One connection may be a member of several rooms.',
      unit: 'short',
      width: 12,
      queries: [{ expr: sumBy('pod', chosen('roomcast_gateway_members')), ...byPod }],
    }),
    lines({
      title: 'Messages received',
      description: 'What members said and the gateway took, a second.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: rateBy('pod', chosen('roomcast_gateway_messages_received_total')), ...byPod },
      ],
    }),
    lines({
      title: 'Deliveries',
      description: 'Messages written to members a second.',
      unit: 'cps',
      width: 12,
      queries: [{ expr: rateBy('pod', chosen('roomcast_gateway_deliveries_total')), ...byPod }],
    }),
    lines({
      title: 'Delivery latency, p99',
      description:
        'From the append to the log to the write towards the members. One gateway above the others: it has too much to do, or its clock is off.',
      unit: 's',
      width: 12,
      queries: [
        {
          expr: quantileBy('pod', 0.99, chosen('roomcast_gateway_delivery_latency_seconds')),
          ...byPod,
        },
      ],
    }),
    lines({
      title: 'Waiting for a broker',
      description: 'Messages that were taken and no broker has acknowledged yet.',
      unit: 'short',
      width: 12,
      queries: [{ expr: sumBy('pod', chosen('roomcast_gateway_outbox_messages')), ...byPod }],
    }),
    lines({
      title: 'Refused',
      description: 'Requests of clients a second that were refused, for whatever reason.',
      unit: 'cps',
      width: 8,
      queries: [{ expr: rateBy('pod', chosen('roomcast_gateway_request_errors_total')), ...byPod }],
    }),
    lines({
      title: 'Gaps',
      description: 'Times a second that a room was read from its log.',
      unit: 'cps',
      width: 8,
      queries: [{ expr: rateBy('pod', chosen('roomcast_gateway_gaps_total')), ...byPod }],
    }),
    lines({
      title: 'Recoveries',
      description: 'Clients a second that came back with a session, whatever came of it.',
      unit: 'cps',
      width: 8,
      queries: [{ expr: rateBy('pod', chosen('roomcast_gateway_recoveries_total')), ...byPod }],
    }),
  ],
}

const resources: Row = {
  title: 'Resources',
  panels: [
    lines({
      title: 'CPU',
      description: 'CPUs that a gateway uses. Its event loop has one; beyond 0.9 it is full.',
      unit: 'short',
      width: 8,
      queries: [{ expr: rateBy('pod', chosen('process_cpu_seconds_total')), ...byPod }],
    }),
    lines({
      title: 'Resident memory',
      description: 'Of the process, connections and all.',
      unit: 'bytes',
      width: 8,
      queries: [{ expr: sumBy('pod', chosen('process_resident_memory_bytes')), ...byPod }],
    }),
    lines({
      title: 'Memory per connection',
      description: 'Resident memory by connections, for gateways that have some.',
      unit: 'bytes',
      width: 8,
      queries: [
        {
          expr: `${sumBy('pod', chosen('process_resident_memory_bytes'))} / (${sumBy('pod', chosen('roomcast_gateway_connections'))} > 0)`,
          ...byPod,
        },
      ],
    }),
  ],
}

/** The gateways beside each other: which one is it? */
export function gateways(): Dashboard {
  return page({
    name: 'gateways',
    title: 'Roomcast: gateways',
    description: 'The gateways of a release of Roomcast beside each other.',
    pods: 'gateway',
    rows: [connections, rooms, resources],
  })
}
