import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { page, type Row } from './page.ts'
import { figure, lines } from './panels.ts'
import { known, maxBy, orNone, quantileBy, rate, rateBy, series, sum } from './queries.ts'

const counts: Row = {
  title: 'Who is where',
  panels: [
    figure({
      title: 'Members',
      description: 'Sockets in rooms, each counted once.',
      unit: 'short',
      width: 6,
      queries: [{ expr: known('roomcast_presence_members'), legend: 'members' }],
    }),
    figure({
      title: 'Rooms',
      description: 'Rooms with a member.',
      unit: 'short',
      width: 6,
      queries: [{ expr: known('roomcast_presence_rooms'), legend: 'rooms' }],
    }),
    figure({
      title: 'Leaders',
      description: 'Replicas that act: one, or for some seconds none.',
      unit: 'short',
      width: 6,
      colours: ['red', [1, 'green'], [2, 'red']],
      queries: [{ expr: orNone(sum('roomcast_presence_leader')), legend: 'leaders' }],
    }),
    figure({
      title: 'Pods that do not report',
      description:
        "Gateways' pods that run and are not heard. Always 0 where presence does not use the Kubernetes API.",
      unit: 'short',
      width: 6,
      colours: ['green', [1, 'red']],
      queries: [{ expr: known('roomcast_presence_silent_pods'), legend: 'silent' }],
    }),
    lines({
      title: 'Connections by gateway, as reported',
      description: 'What presence knows, and scaling goes by.',
      unit: 'short',
      width: 12,
      isStacked: true,
      queries: [{ expr: maxBy('gateway', 'roomcast_presence_connections'), legend: '{{gateway}}' }],
    }),
    lines({
      title: 'Reported and counted',
      description:
        'All connections as presence knows them, and as the gateways themselves say when they are scraped. They differ by what changed in between.',
      unit: 'short',
      width: 12,
      queries: [
        {
          expr: `max(sum by (pod) (${series('roomcast_presence_connections')}))`,
          legend: 'reported',
        },
        { expr: sum('roomcast_gateway_connections'), legend: 'counted' },
      ],
    }),
    lines({
      title: 'Gateways',
      description:
        'Reporting to each replica of presence, and ready. They differ while gateways come and go, not for long.',
      unit: 'short',
      width: 12,
      queries: [
        {
          expr: maxBy('pod', 'roomcast_presence_reporting_gateways'),
          legend: 'reporting to {{pod}}',
        },
        { expr: sum({ name: 'roomcast_ready', of: 'gateway' }), legend: 'ready' },
      ],
    }),
    lines({
      title: 'Leader',
      description: '1 for the replica that acts.',
      unit: 'short',
      width: 12,
      queries: [{ expr: maxBy('pod', 'roomcast_presence_leader'), legend: '{{pod}}' }],
    }),
  ],
}

const reports: Row = {
  title: 'Reports',
  panels: [
    lines({
      title: 'Resends and expired leases',
      description:
        'A second. Resends: a gateway was asked for its whole state, since a report was missing. Expired: a gateway was silent for so long that it was forgotten.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: rate('roomcast_presence_resends_total'), legend: 'resends' },
        { expr: rate('roomcast_presence_expired_leases_total'), legend: 'expired' },
      ],
    }),
    lines({
      title: 'Refused links',
      description:
        'Report connections a second that were ended because of what came over them: another version, another token, or not a gateway at all.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: rateBy('pod', 'roomcast_presence_refused_links_total'), legend: '{{pod}}' },
      ],
    }),
  ],
}

const kubernetes: Row = {
  title: 'What the leader does',
  panels: [
    lines({
      title: 'Failures of the Kubernetes API',
      description: 'Requests a second that failed, by what they were for.',
      unit: 'cps',
      width: 8,
      queries: [
        { expr: rateBy('use', 'roomcast_presence_kubernetes_failures_total'), legend: '{{use}}' },
      ],
    }),
    lines({
      title: 'Deletion costs written',
      description: 'To pods, a second, so that scaling down takes the emptiest gateway.',
      unit: 'cps',
      width: 8,
      queries: [{ expr: rate('roomcast_presence_pod_patches_total'), legend: 'written' }],
    }),
    lines({
      title: 'Connections told to go elsewhere',
      description: 'A second, by rebalancing.',
      unit: 'cps',
      width: 8,
      queries: [{ expr: rate('roomcast_presence_shed_connections_total'), legend: 'shed' }],
    }),
  ],
}

const api: Row = {
  title: 'HTTP API',
  panels: [
    lines({
      title: 'Requests, by status',
      description: 'A second, streams left out.',
      unit: 'cps',
      width: 8,
      isStacked: true,
      queries: [
        {
          expr: rateBy('status', 'roomcast_presence_http_duration_seconds_count'),
          legend: '{{status}}',
        },
      ],
    }),
    lines({
      title: 'Duration of requests, p99, by route',
      description: 'All requests but one of a hundred took no longer.',
      unit: 's',
      width: 8,
      queries: [
        {
          expr: quantileBy('route', 0.99, 'roomcast_presence_http_duration_seconds'),
          legend: '{{route}}',
        },
      ],
    }),
    lines({
      title: 'Event streams',
      description:
        'Open ones, one for each page that shows presence live; and those that were ended a second because they did not keep up.',
      unit: 'short',
      width: 8,
      queries: [
        { expr: sum('roomcast_presence_streams'), legend: 'open' },
        { expr: rate('roomcast_presence_slow_streams_total'), legend: 'ended a second' },
      ],
    }),
  ],
}

/** What presence knows, and what it does. */
export function presence(): Dashboard {
  return page({
    name: 'presence',
    title: 'Roomcast: presence',
    description: 'What presence knows of a release of Roomcast, and what it does.',
    rows: [counts, reports, kubernetes, api],
  })
}
