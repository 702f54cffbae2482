import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { page, type Row } from './page.ts'
import { heatmap, lines, type Query } from './panels.ts'
import { buckets, maxBy, quantile, quantileBy, rateBy, sumBy } from './queries.ts'

/** The same query of gateways and brokers, which both ask Redis. */
const ofBoth = (name: string, expr: (name: string) => string): Query[] =>
  ['gateway', 'broker'].map((service) => ({
    expr: expr(`roomcast_${service}_${name}`),
    legend: `${service}: {{command}}`,
  }))

const appends: Row = {
  title: 'Appends',
  panels: [
    lines({
      title: 'Appends, by result',
      description:
        'Batches of messages for a room, a second. out_of_order: a gateway had to number its batches anew. failed: the store did not take it; the gateway tries again.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [{ expr: rateBy('result', 'roomcast_broker_appends_total'), legend: '{{result}}' }],
    }),
    lines({
      title: 'Messages appended, by broker',
      description: 'A second. Brokers that get hardly any are not found by gateways and backends.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        { expr: rateBy('pod', 'roomcast_broker_appended_messages_total'), legend: '{{pod}}' },
      ],
    }),
    heatmap({
      title: 'Append duration',
      description:
        'How long Redis or Valkey took to answer an append of one or more batches, as brokers see it. With an fsync for each, it is mostly that.',
      unit: 's',
      width: 12,
      queries: [{ expr: buckets('roomcast_broker_append_duration_seconds'), legend: '{{le}}' }],
    }),
    lines({
      title: 'Append duration, percentiles',
      description: 'So many percent of the appends took no longer than this.',
      unit: 's',
      width: 12,
      queries: [0.5, 0.9, 0.99].map((q) => ({
        expr: quantile(q, 'roomcast_broker_append_duration_seconds'),
        legend: `p${q * 100}`,
      })),
    }),
    lines({
      title: 'Gateways ask brokers and presence, p99',
      description:
        'How long a request of a gateway took, all but one of a hundred. Much longer than an append: brokers, or the network to them, do not keep up.',
      unit: 's',
      width: 12,
      queries: [
        {
          expr: quantileBy('peer', 0.99, 'roomcast_gateway_call_duration_seconds'),
          legend: '{{peer}}',
        },
      ],
    }),
    lines({
      title: 'Gateways ask brokers and presence, by result',
      description:
        'Requests a second. ok: answered. refused: answered with another status. failed: not answered; the gateway asks another replica.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('peer, result', 'roomcast_gateway_call_duration_seconds_count'),
          legend: '{{peer}}: {{result}}',
        },
      ],
    }),
  ],
}

const redis: Row = {
  title: 'Redis or Valkey',
  panels: [
    lines({
      title: 'Degraded',
      description: '1 while a gateway or broker can not reach the room log.',
      unit: 'short',
      width: 8,
      queries: [
        { expr: maxBy('pod', 'roomcast_gateway_degraded'), legend: '{{pod}}' },
        { expr: maxBy('pod', 'roomcast_broker_degraded'), legend: '{{pod}}' },
      ],
    }),
    lines({
      title: 'Calls',
      description:
        'What gateways and brokers ask of Redis a second, whatever commands it is made of.',
      unit: 'cps',
      width: 8,
      isStacked: true,
      queries: ofBoth('redis_duration_seconds_count', (name) => rateBy('command', name)),
    }),
    lines({
      title: 'Calls that failed',
      description: 'A second: not answered, or with an error.',
      unit: 'cps',
      width: 8,
      isStacked: true,
      queries: ofBoth('redis_failures_total', (name) => rateBy('command', name)),
    }),
    lines({
      title: 'Duration of calls, median',
      description: 'Half of the calls took no longer.',
      unit: 's',
      width: 12,
      queries: ofBoth('redis_duration_seconds', (name) => quantileBy('command', 0.5, name)),
    }),
    lines({
      title: 'Duration of calls, p99',
      description: 'All calls but one of a hundred took no longer.',
      unit: 's',
      width: 12,
      queries: ofBoth('redis_duration_seconds', (name) => quantileBy('command', 0.99, name)),
    }),
  ],
}

const api: Row = {
  title: 'HTTP API',
  panels: [
    lines({
      title: 'Requests, by status',
      description:
        'Of backends and gateways, a second, streams left out. 4xx: the caller is at fault, or was told to slow down. 503 is among 5xx: busy, or the log is away.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('status', 'roomcast_broker_http_duration_seconds_count'),
          legend: '{{status}}',
        },
      ],
    }),
    lines({
      title: 'Duration of requests, p99, by route',
      description: 'The waiting of long polls is part of theirs.',
      unit: 's',
      width: 12,
      queries: [
        {
          expr: quantileBy('route', 0.99, 'roomcast_broker_http_duration_seconds'),
          legend: '{{route}}',
        },
      ],
    }),
    lines({
      title: 'Streams and long polls',
      description: 'Event streams that are open, and long polls that wait.',
      unit: 'short',
      width: 8,
      queries: [
        { expr: sumBy('pod', 'roomcast_broker_streams'), legend: '{{pod}}: streams' },
        { expr: sumBy('pod', 'roomcast_broker_waiting_polls'), legend: '{{pod}}: long polls' },
      ],
    }),
    lines({
      title: 'Slow streams that were ended',
      description: 'A second: more was unsent than STREAM_BUFFER_BYTES.',
      unit: 'cps',
      width: 8,
      queries: [{ expr: rateBy('pod', 'roomcast_broker_slow_streams_total'), legend: '{{pod}}' }],
    }),
    lines({
      title: 'Unreadable messages',
      description:
        'Times a second that a message of a log was left out because it could not be read: something else wrote it.',
      unit: 'cps',
      width: 8,
      queries: [
        { expr: rateBy('pod', 'roomcast_broker_unreadable_messages_total'), legend: '{{pod}}' },
      ],
    }),
  ],
}

/** From gateways through brokers to the room logs. */
export function log(): Dashboard {
  return page({
    name: 'log',
    title: 'Roomcast: brokers and Redis',
    description: 'How a release of Roomcast writes and reads its room logs.',
    rows: [appends, redis, api],
  })
}
