import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DATASOURCE, figure, heatmap, lines } from './panels.ts'
import {
  known,
  knownBy,
  NAMESPACES,
  opened,
  quantile,
  rate,
  rateBy,
  RELEASES,
  replicas,
  series,
  sum,
  sumBy,
} from './queries.ts'

interface Row {
  readonly title: string
  /** From left to right; the widths of those beside each other add up to 24. */
  readonly panels: readonly Builder<Panel>[]
}

const connections: Row = {
  title: 'Connections',
  panels: [
    figure({
      title: 'Connections',
      description: 'Open Socket.IO connections of all gateways, in a room or not.',
      unit: 'short',
      width: 4,
      queries: [{ expr: sum('roomcast_gateway_connections'), legend: 'connections' }],
    }),
    lines({
      title: 'By gateway',
      description: 'Open connections of each gateway. New gateways fill up, ending ones empty.',
      unit: 'short',
      width: 10,
      isStacked: true,
      queries: [{ expr: sumBy('pod', 'roomcast_gateway_connections'), legend: '{{pod}}' }],
    }),
    lines({
      title: 'By transport',
      description:
        'Many that stay with polling: something between clients and gateways lets no websocket through.',
      unit: 'short',
      width: 10,
      isStacked: true,
      queries: [
        { expr: sumBy('transport', 'roomcast_gateway_connections'), legend: '{{transport}}' },
      ],
    }),
    lines({
      title: 'Opened and closed',
      description:
        'Connections a second. What was opened is worked out: what was closed, and by how much the number grew beside that. Those of a gateway that was killed count as neither.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: opened(), legend: 'opened' },
        { expr: rate('roomcast_gateway_closed_total'), legend: 'closed' },
      ],
    }),
    lines({
      title: 'Closed, by reason',
      description:
        'client: it left. transport: it broke. ping_timeout: it fell silent. slow: it did not read fast enough. bad_packet: it sent something else than Socket.IO. server: the gateway ended it, for instance in a rollout.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [{ expr: rateBy('reason', 'roomcast_gateway_closed_total'), legend: '{{reason}}' }],
    }),
  ],
}

const rooms: Row = {
  title: 'Rooms and members',
  panels: [
    figure({
      title: 'Rooms',
      description: 'Rooms with a member, in the whole release.',
      unit: 'short',
      width: 4,
      queries: [{ expr: known('roomcast_presence_rooms'), legend: 'rooms' }],
    }),
    lines({
      title: 'Rooms by gateway',
      description: 'A room with members on several gateways is one of each of them.',
      unit: 'short',
      width: 8,
      queries: [{ expr: sumBy('pod', 'roomcast_gateway_rooms'), legend: '{{pod}}' }],
    }),
    figure({
      title: 'Members',
      description: 'Sockets in rooms, each counted once, in the whole release.',
      unit: 'short',
      width: 4,
      queries: [{ expr: known('roomcast_presence_members'), legend: 'members' }],
    }),
    lines({
      title: 'Members by gateway',
      description: 'One connection may be a member of several rooms.',
      unit: 'short',
      width: 8,
      isStacked: true,
      queries: [{ expr: sumBy('pod', 'roomcast_gateway_members'), legend: '{{pod}}' }],
    }),
  ],
}

const messages: Row = {
  title: 'Messages and deliveries',
  panels: [
    lines({
      title: 'Messages',
      description:
        'A second. Received: what members said and gateways took. Appended: what brokers wrote to the logs, which is also what backends published, and the notices of joins and quits.',
      unit: 'cps',
      width: 8,
      queries: [
        { expr: rate('roomcast_gateway_messages_received_total'), legend: 'received' },
        { expr: rate('roomcast_broker_appended_messages_total'), legend: 'appended' },
      ],
    }),
    lines({
      title: 'Deliveries, by path',
      description:
        'Messages written to members a second: each message once for each member. replay: to members who came back and had missed them; the others are live.',
      unit: 'cps',
      width: 8,
      isStacked: true,
      queries: [{ expr: rateBy('path', 'roomcast_gateway_deliveries_total'), legend: '{{path}}' }],
    }),
    lines({
      title: 'Appends, by result',
      description:
        'Batches of messages for a room that brokers appended to its log, a second. out_of_order: a gateway had to number its batches anew. failed: the store did not take it; the gateway tries again.',
      unit: 'cps',
      width: 8,
      isStacked: true,
      queries: [{ expr: rateBy('result', 'roomcast_broker_appends_total'), legend: '{{result}}' }],
    }),
    heatmap({
      title: 'Delivery latency',
      description:
        'From the append to the log to the write towards the members of a room on a gateway. By the clocks of two machines: it is as exact as they agree.',
      unit: 's',
      width: 12,
      queries: [
        {
          expr: rateBy('le', 'roomcast_gateway_delivery_latency_seconds_bucket'),
          legend: '{{le}}',
        },
      ],
    }),
    lines({
      title: 'Delivery latency, quantiles',
      description: 'Half of the deliveries, and all but a hundredth, took no longer than this.',
      unit: 's',
      width: 12,
      queries: [0.5, 0.99].map((q) => ({
        expr: quantile(q, 'roomcast_gateway_delivery_latency_seconds'),
        legend: `p${q * 100}`,
      })),
    }),
    lines({
      title: 'Append duration',
      description:
        'How long Redis or Valkey took to answer an append of one or more batches, as brokers see it.',
      unit: 's',
      width: 12,
      queries: [0.5, 0.99].map((q) => ({
        expr: quantile(q, 'roomcast_broker_append_duration_seconds'),
        legend: `p${q * 100}`,
      })),
    }),
    lines({
      title: 'Waiting for a broker',
      description:
        'Messages that a gateway took and no broker has acknowledged yet, those under way included. It grows when brokers or the store do not keep up.',
      unit: 'short',
      width: 12,
      queries: [{ expr: sumBy('pod', 'roomcast_gateway_outbox_messages'), legend: '{{pod}}' }],
    }),
  ],
}

const recoveries: Row = {
  title: 'Recoveries and gaps',
  panels: [
    lines({
      title: 'Recoveries, by result',
      description:
        'Clients that came back with a session, a second. recovered: with all that they had missed. The others join anew, except with unavailable, where they try again.',
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
  ],
}

const presence: Row = {
  title: 'Presence',
  panels: [
    lines({
      title: 'Gateways',
      description:
        'Scraped, and reporting to the replica of presence that hears of fewest. They differ while gateways come and go, not for long.',
      unit: 'short',
      width: 8,
      queries: [
        {
          expr: `min(${series('roomcast_presence_reporting_gateways')})`,
          legend: 'reporting',
        },
        { expr: replicas('roomcast_gateway_connections'), legend: 'scraped' },
      ],
    }),
    lines({
      title: 'Connections by gateway, as reported',
      description: 'What presence knows, and scaling goes by.',
      unit: 'short',
      width: 8,
      isStacked: true,
      queries: [
        { expr: knownBy('gateway', 'roomcast_presence_connections'), legend: '{{gateway}}' },
      ],
    }),
    lines({
      title: 'Resends and expired leases',
      description:
        'A second. Resends: a gateway was asked for its whole state, since a report was missing. Expired: a gateway was silent for so long that it was forgotten.',
      unit: 'cps',
      width: 8,
      queries: [
        { expr: rate('roomcast_presence_resends_total'), legend: 'resends' },
        { expr: rate('roomcast_presence_expired_leases_total'), legend: 'expired' },
      ],
    }),
  ],
}

/** What one release does, at a glance. */
export function overview(): Dashboard {
  const builder = new DashboardBuilder('Roomcast')
    .uid('roomcast-overview')
    .description('Connections, rooms, members, messages and deliveries of a release of Roomcast.')
    .tags(['roomcast'])
    .editable()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .withVariable(
      new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    )
    .withVariable(
      new QueryVariableBuilder('namespace')
        .label('Namespace')
        .datasource(DATASOURCE)
        .query(NAMESPACES)
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .sort(VariableSort.AlphabeticalAsc),
    )
    .withVariable(
      new QueryVariableBuilder('release')
        .label('Release')
        .description('What the names of its pods begin with.')
        .datasource(DATASOURCE)
        .query(RELEASES.query)
        .regex(RELEASES.regex)
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .sort(VariableSort.AlphabeticalAsc),
    )
  for (const { title, panels } of [connections, rooms, messages, recoveries, presence]) {
    builder.withRow(new RowBuilder(title))
    for (const panel of panels) builder.withPanel(panel)
  }
  const dashboard = builder.build()
  // Grafana would give other numbers each time, and links to single panels would break.
  dashboard.panels?.forEach((panel, i) => {
    panel.id = i + 1
  })
  return dashboard
}
