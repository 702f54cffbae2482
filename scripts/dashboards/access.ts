import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { page, type Row } from './page.ts'
import { lines, type Query } from './panels.ts'
import { maxBy, quantileBy, rateBy, sumBy } from './queries.ts'

const FAILED = 'result="failed"'
/** Ends of connections that a limit, or who may be there, brought about. */
const ENDED = 'reason=~"token_expired|revoked|flood|no_connect"'

/** The same metric of several services, each of which names it after itself. */
const ofEach = (
  services: readonly string[],
  metric: string,
  query: (name: string, service: string) => Query,
): Query[] => services.map((service) => query(`roomcast_${service}_${metric}`, service))

const APIS = ['broker', 'presence']

const tokens: Row = {
  title: 'Tokens',
  panels: [
    lines({
      title: 'Tokens, by result',
      description:
        'Tokens that gateways looked at, a second, by how it ended. expired and unknown_key rise when whoever signs them has trouble, signature when somebody tries. No data where no tokens are asked for.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [{ expr: rateBy('result', 'roomcast_gateway_auth_total'), legend: '{{result}}' }],
    }),
    lines({
      title: 'Reads of the key set',
      description:
        'Attempts a second to read the public keys of tokens. While they fail the known keys go on; a gateway that never read them is not ready. Nothing but zeros with a secret instead of a key set.',
      unit: 'cps',
      width: 12,
      queries: [
        { expr: rateBy('result', 'roomcast_gateway_jwks_reads_total'), legend: '{{result}}' },
      ],
    }),
  ],
}

const hooks: Row = {
  title: 'Hooks',
  panels: [
    lines({
      title: 'Questions to the backend, by result',
      description:
        'A second. timeout, failed and invalid: it gave no answer that can be used. busy: too many waited. rested: it failed so often that it is left alone for a while. No data where there are no hooks.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('hook, result', 'roomcast_gateway_hook_requests_total'),
          legend: '{{hook}} {{result}}',
        },
      ],
    }),
    lines({
      title: 'Duration of the answers, p99',
      description:
        'The backend answered all questions but one of a hundred within this time, or was given up then. Each message and each join waits for it.',
      unit: 's',
      width: 12,
      queries: [
        {
          expr: quantileBy('hook', 0.99, 'roomcast_gateway_hook_duration_seconds'),
          legend: '{{hook}}',
        },
      ],
    }),
  ],
}

const limits: Row = {
  title: 'Limits',
  panels: [
    lines({
      title: 'Refused by gateways, by limit',
      description:
        'A second. full, handshakes, address_connections, address_handshakes, origin: connections. ending and shed: connections that go to another gateway. The others: what members ask for too often.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [{ expr: rateBy('reason', 'roomcast_gateway_refused_total'), legend: '{{reason}}' }],
    }),
    lines({
      title: 'New connections that wait',
      description:
        'For their turn at a gateway. A storm of clients that come back makes a peak; for long, more come than gateways take.',
      unit: 'short',
      width: 12,
      isStacked: true,
      queries: [{ expr: sumBy('pod', 'roomcast_gateway_waiting_handshakes'), legend: '{{pod}}' }],
    }),
    lines({
      title: 'Refused by the HTTP APIs, by code',
      description: 'Requests a second that brokers and presence answered with a problem.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: ofEach(APIS, 'refused_total', (name, service) => ({
        expr: rateBy('reason', name),
        legend: `${service} {{reason}}`,
      })),
    }),
    lines({
      title: 'Connections that were ended',
      description:
        'A second. token_expired: it came with no new token. revoked: a moderator. flood: it sent more than it may. no_connect: it entered no namespace in time.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('reason', { name: 'roomcast_gateway_closed_total', where: ENDED }),
          legend: '{{reason}}',
        },
      ],
    }),
  ],
}

const keys: Row = {
  title: 'Keys and moderators',
  panels: [
    lines({
      title: 'Refused keys, by reason',
      description:
        'Requests to the HTTP APIs a second. no_key and wrong_key: somebody without a key, or with an old one. scope and room: a key that may do something else.',
      unit: 'cps',
      width: 12,
      queries: ofEach(APIS, 'key_refusals_total', (name, service) => ({
        expr: rateBy('reason', name),
        legend: `${service} {{reason}}`,
      })),
    }),
    lines({
      title: 'Files of secrets that can not be used',
      description:
        'Faults a second that were found when a file was read again. Its last good content stays in force, until the pod ends. No data for what is not in a file.',
      unit: 'cps',
      width: 12,
      queries: ofEach(['gateway', ...APIS], 'secret_rereads_total', (name, service) => ({
        expr: rateBy('secret', { name, where: FAILED }),
        legend: `${service} {{secret}}`,
      })),
    }),
    lines({
      title: 'Open APIs',
      description: '1: there are no API keys, and everybody who reaches the pod may do all.',
      unit: 'short',
      width: 12,
      queries: ofEach(APIS, 'open', (name) => ({ expr: maxBy('pod', name), legend: '{{pod}}' })),
    }),
    lines({
      title: 'Acts of moderators',
      description:
        'A second, by action and what became of it. The log of the brokers has a line for each, which says who and whom.',
      unit: 'cps',
      width: 12,
      isStacked: true,
      queries: [
        {
          expr: rateBy('action, result', 'roomcast_broker_moderations_total'),
          legend: '{{action}} {{result}}',
        },
      ],
    }),
  ],
}

/** Who gets in, who is refused, and by what. */
export function access(): Dashboard {
  return page({
    name: 'access',
    title: 'Roomcast: access',
    description:
      'Whom a release of Roomcast lets in and whom it refuses: tokens, hooks, limits, keys and moderators.',
    rows: [tokens, hooks, limits, keys],
  })
}
