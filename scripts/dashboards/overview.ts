import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { atAGlance } from './at-a-glance.ts'
import { page, type Row } from './page.ts'
import { heatmap, lines } from './panels.ts'
import { buckets, known, maxBy, quantile, rate, rateBy, sum, sumBy } from './queries.ts'

const LATENCY = 'roomcast_gateway_delivery_latency_seconds'

const people: Row = {
  title: 'People',
  panels: [
    lines({
      title: 'Connections by gateway',
      description: 'Open connections of each gateway. New gateways fill up, ending ones empty.',
      unit: 'short',
      width: 12,
      isStacked: true,
      queries: [{ expr: sumBy('pod', 'roomcast_gateway_connections'), legend: '{{pod}}' }],
    }),
    lines({
      title: 'Connections by transport',
      description:
        'Many that stay with polling: something between clients and gateways lets no websocket through.',
      unit: 'short',
      width: 12,
      isStacked: true,
      queries: [
        { expr: sumBy('transport', 'roomcast_gateway_connections'), legend: '{{transport}}' },
      ],
    }),
    lines({
      title: 'Opened and closed',
      description:
        'Connections a second. Those of a gateway that was killed count as opened alone. Many more opened than usual: clients come back again and again.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: rate('roomcast_gateway_opened_total'), legend: 'opened' },
        { expr: rate('roomcast_gateway_closed_total'), legend: 'closed' },
      ],
    }),
    lines({
      title: 'Closed, by reason',
      description:
        'client: it left. transport: it broke, or a page was closed. ping_timeout: it fell silent. slow: it did not read fast enough. bad_packet: it sent something else than Socket.IO. drain: the gateway ends. shed: it had more than the others. token_expired: it came with no new token. revoked: a moderator ended it. flood: it sent more than it may. no_connect: it entered no namespace in time. server: the gateway ended it for another reason.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [{ expr: rateBy('reason', 'roomcast_gateway_closed_total'), legend: '{{reason}}' }],
    }),
    lines({
      title: 'Rooms',
      description: 'Rooms with a member, in the whole release, as presence knows.',
      unit: 'short',
      width: 8,
      queries: [{ expr: known('roomcast_presence_rooms'), legend: 'rooms' }],
    }),
    lines({
      title: 'Members',
      description: 'Sockets in rooms, each counted once, in the whole release, as presence knows.',
      unit: 'short',
      width: 8,
      queries: [{ expr: known('roomcast_presence_members'), legend: 'members' }],
    }),
    lines({
      title: 'Draining',
      description: 'Connections of gateways that were told to end: a slope, not a cliff.',
      unit: 'short',
      width: 8,
      queries: [
        {
          expr: `${sumBy('pod', 'roomcast_gateway_connections')} * ${maxBy('pod', 'roomcast_gateway_draining')}`,
          legend: '{{pod}}',
        },
      ],
    }),
  ],
}

const messages: Row = {
  title: 'Messages',
  panels: [
    lines({
      title: 'Received and appended',
      description:
        'A second. Received: what members said and gateways took. Appended: what brokers wrote to the logs, which is also what backends published, and the notices of joins and quits.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: rate('roomcast_gateway_messages_received_total'), legend: 'received' },
        { expr: rate('roomcast_broker_appended_messages_total'), legend: 'appended' },
      ],
    }),
    lines({
      title: 'Deliveries, by path',
      description:
        'Messages written to members a second. direct: straight to the TCP socket. engine: through Engine.IO, as for long polling. replay: to members who came back and had missed them; the others are live.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [{ expr: rateBy('path', 'roomcast_gateway_deliveries_total'), legend: '{{path}}' }],
    }),
    heatmap({
      title: 'Delivery latency',
      description:
        'From the append to the log to the write towards the members of a room on a gateway. By the clocks of two machines: it is as exact as they agree.',
      unit: 's',
      width: 12,
      queries: [{ expr: buckets(LATENCY), legend: '{{le}}' }],
    }),
    lines({
      title: 'Delivery latency, percentiles',
      description: 'So many percent of the deliveries took no longer than this.',
      unit: 's',
      width: 12,
      queries: [0.5, 0.9, 0.99].map((q) => ({
        expr: quantile(q, LATENCY),
        legend: `p${q * 100}`,
      })),
    }),
  ],
}

const losses: Row = {
  title: 'Losses and near misses',
  panels: [
    lines({
      title: 'Refused, by code',
      description:
        'Requests of clients a second, by the code that they were told. invalid, not_joined and the like are the fault of a client; rate_limited is a limit at work; busy, unavailable and internal are ours.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        { expr: rateBy('code', 'roomcast_gateway_request_errors_total'), legend: '{{code}}' },
      ],
    }),
    lines({
      title: 'Waiting for a broker',
      description:
        'Messages that a gateway took and no broker has acknowledged yet, those under way included. It grows when brokers or the store do not keep up.',
      unit: 'short',
      width: 12,
      queries: [{ expr: sumBy('pod', 'roomcast_gateway_outbox_messages'), legend: '{{pod}}' }],
    }),
    lines({
      title: 'Recoveries, by result',
      description:
        'Clients that came back with a session, a second. recovered: with all that they had missed. removed, forbidden and other_user: it may not be there, or not with that session. The others join anew, except with unavailable and raced, where they try again.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        { expr: rateBy('result', 'roomcast_gateway_recoveries_total'), legend: '{{result}}' },
      ],
    }),
    lines({
      title: 'Gaps, by reason',
      description:
        'Times a second that a gateway read a room from its log. gap: a number was missing. resumed: the subscription had been interrupted. behind: the log was ahead without a sign of it. lost: the log no longer had what was missing.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: rateBy('reason', 'roomcast_gateway_gaps_total'), legend: '{{reason}}' },
        { expr: rate('roomcast_gateway_lost_total'), legend: 'lost' },
      ],
    }),
    lines({
      title: 'Slow connections that were ended',
      description:
        'A second: more was unsent than SLOW_CLIENT_BYTES. They come back and are recovered, or are cut off again.',
      unit: 'cps',
      width: 12,
      queries: [
        {
          expr: rateBy('pod', { name: 'roomcast_gateway_closed_total', where: 'reason="slow"' }),
          legend: '{{pod}}',
        },
      ],
    }),
    lines({
      title: 'Appends, by result',
      description:
        'Batches of messages for a room that brokers appended to its log, a second. out_of_order: a gateway had to number its batches anew. failed: the store did not take it; the gateway tries again.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [{ expr: rateBy('result', 'roomcast_broker_appends_total'), legend: '{{result}}' }],
    }),
  ],
}

const resources: Row = {
  title: 'What it costs',
  panels: [
    lines({
      title: 'Memory per connection',
      description:
        'Resident memory of the gateways by their connections. With few connections it is the memory of the processes themselves.',
      unit: 'bytes',
      width: 12,
      queries: [
        {
          expr: `${sum({ name: 'process_resident_memory_bytes', of: 'gateway' })} / ${sum('roomcast_gateway_connections')}`,
          legend: 'per connection',
        },
      ],
    }),
    lines({
      title: 'CPU per delivery',
      description: 'CPU time of the gateways by the messages that they wrote to members.',
      unit: 's',
      width: 12,
      queries: [
        {
          expr: `${rate({ name: 'process_cpu_seconds_total', of: 'gateway' })} / ${rate('roomcast_gateway_deliveries_total')}`,
          legend: 'per delivery',
        },
      ],
    }),
  ],
}

/** What one release does, at a glance. */
export function overview(): Dashboard {
  return page({
    name: 'overview',
    title: 'Roomcast',
    description:
      'Whether people are connected to a release of Roomcast, whether messages flow, and whether something loses them.',
    rows: [atAGlance, people, messages, losses, resources],
  })
}
