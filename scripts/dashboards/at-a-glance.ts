import type { Row } from './page.ts'
import { figure } from './panels.ts'
import { growth, orNone, quantile, rate, series, sum } from './queries.ts'

/** Clients are refused with these when something behind the gateways does not keep up. */
const OVERLOADED = 'code=~"busy|unavailable"'
/** How Prometheus shows the chart's alerts. */
const FIRING =
  'ALERTS{namespace="$namespace", release="$release", alertname=~"Roomcast.+", alertstate="firing"}'

/** Three questions, each answered by a few numbers and colours. */
export const atAGlance: Row = {
  title: 'Are people connected, do messages flow, is something losing them?',
  panels: [
    figure({
      title: 'Connections',
      description: 'Open Socket.IO connections of all gateways, in a room or not.',
      unit: 'short',
      width: 4,
      queries: [{ expr: sum('roomcast_gateway_connections'), legend: 'connections' }],
    }),
    figure({
      title: 'Gateways that are ready',
      description: 'None: nobody can connect.',
      unit: 'short',
      width: 3,
      colours: ['red', [1, 'green']],
      queries: [{ expr: orNone(sum({ name: 'roomcast_ready', of: 'gateway' })), legend: 'ready' }],
    }),
    figure({
      title: 'Messages',
      description: 'What members said and gateways took, a second.',
      unit: 'cps',
      width: 4,
      queries: [{ expr: rate('roomcast_gateway_messages_received_total'), legend: 'received' }],
    }),
    figure({
      title: 'Deliveries',
      description: 'Messages written to members a second: each message once for each member.',
      unit: 'cps',
      width: 4,
      queries: [{ expr: rate('roomcast_gateway_deliveries_total'), legend: 'delivered' }],
    }),
    figure({
      title: 'Latency, p99',
      description:
        'All deliveries but one of a hundred took no longer, from the append to the log to the write towards the members.',
      unit: 's',
      width: 3,
      colours: ['green', [0.25, 'yellow'], [1, 'red']],
      queries: [
        { expr: quantile(0.99, 'roomcast_gateway_delivery_latency_seconds'), legend: 'p99' },
      ],
    }),
    figure({
      title: 'Alerts that fire',
      description:
        'Those of the chart, by name; docs/runbook.md says what to do. None also where Prometheus does not have them.',
      unit: 'short',
      width: 6,
      colours: ['green', [1, 'red']],
      isByName: true,
      queries: [
        {
          expr: `sum by (alertname) (${FIRING}) or label_replace(vector(0) unless on () ${FIRING}, "alertname", "none", "", "")`,
          legend: '{{alertname}}',
        },
      ],
    }),
    figure({
      title: 'Without Redis',
      description:
        'Gateways and brokers that can not reach the room log. Members stay connected, and get `unavailable` for what they say.',
      unit: 'short',
      width: 4,
      colours: ['green', [1, 'red']],
      queries: [
        {
          expr: `sum(${series('roomcast_gateway_degraded')} or ${series('roomcast_broker_degraded')})`,
          legend: 'degraded',
        },
      ],
    }),
    figure({
      title: 'Brokers that are ready',
      description: 'None: nobody can send, and nobody new can enter a room that is empty.',
      unit: 'short',
      width: 3,
      colours: ['red', [1, 'green']],
      queries: [{ expr: orNone(sum({ name: 'roomcast_ready', of: 'broker' })), legend: 'ready' }],
    }),
    figure({
      title: 'Refused for overload',
      description:
        'Requests of clients a second that got `busy` or `unavailable`: something behind the gateways does not keep up or is away.',
      unit: 'cps',
      width: 4,
      colours: ['green', [0.01, 'yellow'], [1, 'red']],
      queries: [
        {
          expr: rate({ name: 'roomcast_gateway_request_errors_total', where: OVERLOADED }),
          legend: 'refused',
        },
      ],
    }),
    figure({
      title: 'Lost, in the time shown',
      description:
        'Times that messages were no longer in the log when a gateway came to read them: its members in that room missed them.',
      unit: 'short',
      width: 4,
      colours: ['green', [0.5, 'red']],
      queries: [{ expr: growth('roomcast_gateway_lost_total'), legend: 'lost' }],
    }),
    figure({
      title: 'Not recovered',
      description:
        'Of the clients that came back with a session, the share that could not be given what they had missed, other than for being away too long.',
      unit: 'percentunit',
      width: 3,
      colours: ['green', [0.02, 'yellow'], [0.1, 'red']],
      queries: [
        {
          expr: `${rate({
            name: 'roomcast_gateway_recoveries_total',
            where: 'result=~"other_log|trimmed|too_many|unavailable"',
          })} / (${rate('roomcast_gateway_recoveries_total')} > 0) or vector(0)`,
          legend: 'not recovered',
        },
      ],
    }),
    figure({
      title: 'Starting and ending',
      description:
        'Replicas of all services that are not ready, and gateways that close their connections because they were told to end. For longer than a rollout takes: something is stuck.',
      unit: 'short',
      width: 6,
      colours: ['green', [1, 'yellow']],
      queries: [
        {
          expr: `sum(1 - ${series({ name: 'roomcast_ready', of: 'any' })})`,
          legend: 'not ready',
        },
        { expr: sum('roomcast_gateway_draining'), legend: 'draining' },
      ],
    }),
  ],
}
