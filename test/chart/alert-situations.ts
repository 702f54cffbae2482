/**
 * Situations for the chart's alerts: series as promtool writes them, a sample a minute, and which alert of one name there is then.
 * Each alert has situations in which it fires and in which, hardly different, it is quiet.
 */

export interface Situation {
  readonly alert: string
  /** What is going on. */
  readonly when: string
  /** By name and labels; values in promtool's notation. */
  readonly series: Readonly<Record<string, string>>
  /** When to look, in minutes. */
  readonly at: number
  /** The alerts that fire: their labels besides those that all have, and their description. */
  readonly fires: readonly {
    readonly labels?: Readonly<Record<string, string>>
    readonly says: string
  }[]
}

type Pod =
  'gateway' | 'gateway 2' | 'broker' | 'presence' | 'presence 2' | 'valkey' | 'other gateway'

/** Names of pods as Kubernetes makes them; the last is of a release whose name begins in the same way. */
export const PODS: Readonly<Record<Pod, string>> = {
  gateway: 'chat-roomcast-gateway-5d9f7c6b8-x2x41',
  'gateway 2': 'chat-roomcast-gateway-5d9f7c6b8-x2x42',
  broker: 'chat-roomcast-broker-7c9d8f6b5-b4b41',
  presence: 'chat-roomcast-presence-6f8d9c7b4-p3p31',
  'presence 2': 'chat-roomcast-presence-6f8d9c7b4-p3p32',
  valkey: 'chat-roomcast-valkey-0',
  'other gateway': 'chat-roomcast-gateway-gateway-5d9f7c6b8-x2x41',
}

function of(pod: Pod, name: string, labels: Readonly<Record<string, string>> = {}): string {
  const all = { namespace: 'rooms', pod: PODS[pod], ...labels }
  return `${name}{${Object.entries(all)
    .map(([label, value]) => `${label}="${value}"`)
    .join(', ')}}`
}

const ready = (pod: Pod): string => of(pod, 'roomcast_ready')
const connections = (pod: Pod, transport = 'websocket'): string =>
  of(pod, 'roomcast_gateway_connections', { transport })
const closed = (pod: Pod, reason: string): string =>
  of(pod, 'roomcast_gateway_closed_total', { reason })
const refused = (code: string): string =>
  of('gateway', 'roomcast_gateway_request_errors_total', { code })
const received = of('gateway', 'roomcast_gateway_messages_received_total')
const recovery = (result: string): string =>
  of('gateway', 'roomcast_gateway_recoveries_total', { result })
const append = (result: string): string => of('broker', 'roomcast_broker_appends_total', { result })
const gap = (reason: string): string => of('gateway', 'roomcast_gateway_gaps_total', { reason })
const gatewayPod = { pod: PODS.gateway }

/** Observations of a histogram a minute, so many in the bucket up to `le` and the rest in the next one. */
function histogram(
  pod: Pod,
  name: string,
  { le, within, beyond, next }: { le: string; within: number; beyond: number; next: string },
): Record<string, string> {
  const bucket = (bound: string): string => of(pod, `${name}_bucket`, { le: bound })
  const all = `0+${within + beyond}x30`
  return { [bucket(le)]: `0+${within}x30`, [bucket(next)]: all, [bucket('+Inf')]: all }
}

const CONNECTIONS: readonly Situation[] = [
  {
    alert: 'RoomcastNoGateway',
    when: 'no gateway is ready',
    series: { [ready('gateway')]: '0x30', [ready('gateway 2')]: '0x30', [ready('broker')]: '1x30' },
    at: 3,
    fires: [{ says: 'No gateway is ready, or none is scraped.' }],
  },
  {
    alert: 'RoomcastNoGateway',
    when: 'none is scraped, but another release',
    series: { [ready('broker')]: '1x30', [ready('other gateway')]: '1x30' },
    at: 3,
    fires: [{ says: 'No gateway is ready, or none is scraped.' }],
  },
  {
    alert: 'RoomcastNoGateway',
    when: 'one of two is ready',
    series: { [ready('gateway')]: '0x30', [ready('gateway 2')]: '1x30' },
    at: 3,
    fires: [],
  },
  {
    alert: 'RoomcastConnectionsLost',
    when: 'most connections end within minutes',
    series: {
      [connections('gateway')]: '300x14 60x30',
      [connections('gateway 2')]: '100x14 20x30',
    },
    at: 18,
    fires: [{ says: '20% of the connections of ten minutes ago are left.' }],
  },
  {
    alert: 'RoomcastConnectionsLost',
    when: 'the connections of one gateway move to another',
    series: {
      [connections('gateway')]: '300x14 0x30',
      [connections('gateway 2')]: '100x14 400x30',
    },
    at: 18,
    fires: [],
  },
  {
    alert: 'RoomcastConnectionsLost',
    when: 'there were few to begin with',
    series: { [connections('gateway')]: '90x14 5x30' },
    at: 18,
    fires: [],
  },
  {
    alert: 'RoomcastNotReady',
    when: 'a broker does not become ready',
    series: { [ready('broker')]: '0x30', [ready('gateway')]: '1x30' },
    at: 7,
    fires: [{ labels: { pod: PODS.broker }, says: `${PODS.broker} is not ready.` }],
  },
  {
    alert: 'RoomcastNotReady',
    when: 'a gateway drains for long, and a broker needs three minutes',
    series: {
      [ready('gateway')]: '0x30',
      [of('gateway', 'roomcast_gateway_draining')]: '1x30',
      [ready('broker')]: '0x3 1x30',
    },
    at: 7,
    fires: [],
  },
  {
    alert: 'RoomcastConnectionsHigh',
    when: 'a gateway has both kinds, and too many together',
    series: { [connections('gateway')]: '9000x30', [connections('gateway', 'polling')]: '2500x30' },
    at: 12,
    fires: [{ labels: gatewayPod, says: `${PODS.gateway} has 11.5k connections.` }],
  },
  {
    alert: 'RoomcastConnectionsHigh',
    when: 'two gateways have them together',
    series: { [connections('gateway')]: '9000x30', [connections('gateway 2')]: '9000x30' },
    at: 12,
    fires: [],
  },
  {
    alert: 'RoomcastSlowConnections',
    when: 'a twentieth of the connections is ended for it in ten minutes',
    series: { [connections('gateway')]: '1000x30', [closed('gateway', 'slow')]: '0+5x30' },
    at: 20,
    fires: [{ says: '50 connections were ended in ten minutes because too much was unsent.' }],
  },
  {
    alert: 'RoomcastSlowConnections',
    when: 'the same of many more, and others that leave',
    series: {
      [connections('gateway')]: '9000x30',
      [closed('gateway', 'slow')]: '0+5x30',
      [closed('gateway', 'transport')]: '0+500x30',
    },
    at: 20,
    fires: [],
  },
  {
    alert: 'RoomcastRecoveriesFailing',
    when: 'a quarter is beyond what is kept',
    series: { [recovery('recovered')]: '0+30x30', [recovery('trimmed')]: '0+10x30' },
    at: 20,
    fires: [{ says: '25% of the clients that came back could not be given what they had missed.' }],
  },
  {
    alert: 'RoomcastRecoveriesFailing',
    when: 'people come back after hours, and once in ten minutes one fails',
    series: {
      [recovery('recovered')]: '0+30x30',
      [recovery('expired')]: '0+30x30',
      [recovery('trimmed')]: '0x9 1x9 2x9 3x9',
    },
    at: 20,
    fires: [],
  },
  {
    alert: 'RoomcastDrainStuck',
    when: 'a gateway is told to end and stays',
    series: { [of('gateway', 'roomcast_gateway_draining')]: '0x2 1x30' },
    at: 6,
    fires: [
      {
        labels: gatewayPod,
        says: `${PODS.gateway} was told to end, and is still there after the time that it has for it.`,
      },
    ],
  },
  {
    alert: 'RoomcastDrainStuck',
    when: 'it ends in time',
    series: { [of('gateway', 'roomcast_gateway_draining')]: '0x2 1 stale' },
    at: 6,
    fires: [],
  },
]

const MESSAGES: readonly Situation[] = [
  {
    alert: 'RoomcastNoBroker',
    when: 'no broker is scraped',
    series: { [ready('gateway')]: '1x30' },
    at: 3,
    fires: [{ says: 'No broker is ready, or none is scraped.' }],
  },
  {
    alert: 'RoomcastNoBroker',
    when: 'one is ready',
    series: { [ready('broker')]: '1x30' },
    at: 3,
    fires: [],
  },
  {
    alert: 'RoomcastDegraded',
    when: 'a gateway and a broker do not reach Redis',
    series: {
      [of('gateway', 'roomcast_gateway_degraded')]: '0 1x30',
      [of('gateway 2', 'roomcast_gateway_degraded')]: '0x30',
      [of('broker', 'roomcast_broker_degraded')]: '0 1x30',
    },
    at: 4,
    fires: [{ says: '2 gateways and brokers do not reach the room log.' }],
  },
  {
    alert: 'RoomcastDegraded',
    when: 'a failover of half a minute is over',
    series: {
      [of('gateway', 'roomcast_gateway_degraded')]: '0 1 0x30',
      [of('broker', 'roomcast_broker_degraded')]: '0 1 0x30',
    },
    at: 4,
    fires: [],
  },
  {
    alert: 'RoomcastMessagesRefused',
    when: 'nothing is taken any more',
    series: { [refused('unavailable')]: '0+120x30', [received]: '0x30' },
    at: 10,
    fires: [{ says: '2 requests a second get busy or unavailable.' }],
  },
  {
    alert: 'RoomcastMessagesRefused',
    when: 'clients are at fault, or over their limit',
    series: {
      [refused('invalid')]: '0+120x30',
      [refused('rate_limited')]: '0+120x30',
      [refused('busy')]: '0+1x30',
      [received]: '0+600x30',
    },
    at: 10,
    fires: [],
  },
  {
    alert: 'RoomcastMessagesLost',
    when: 'it happened once',
    series: { [of('gateway', 'roomcast_gateway_lost_total')]: '0x5 1x30' },
    at: 10,
    fires: [
      {
        says: '1 times in ten minutes messages were no longer in the log when a gateway came to read them.',
      },
    ],
  },
  {
    alert: 'RoomcastMessagesLost',
    when: 'it was before',
    series: { [of('gateway', 'roomcast_gateway_lost_total')]: '5x30' },
    at: 10,
    fires: [],
  },
  {
    alert: 'RoomcastAppendsFailing',
    when: 'one of twenty fails',
    series: { [append('appended')]: '0+95x30', [append('failed')]: '0+5x30' },
    at: 10,
    fires: [{ says: '5% of the appends fail.' }],
  },
  {
    alert: 'RoomcastAppendsFailing',
    when: 'some are numbered anew',
    series: {
      [append('appended')]: '0+95x30',
      [append('failed')]: '0x30',
      [append('out_of_order')]: '0+5x30',
    },
    at: 10,
    fires: [],
  },
  {
    alert: 'RoomcastAppendsSlow',
    when: 'one of ten takes half a second',
    series: histogram('broker', 'roomcast_broker_append_duration_seconds', {
      le: '0.25',
      within: 90,
      beyond: 10,
      next: '0.5',
    }),
    at: 12,
    fires: [{ says: 'One append of a hundred takes 475ms or longer.' }],
  },
  {
    alert: 'RoomcastAppendsSlow',
    when: 'one of two hundred does',
    series: histogram('broker', 'roomcast_broker_append_duration_seconds', {
      le: '0.25',
      within: 199,
      beyond: 1,
      next: '0.5',
    }),
    at: 12,
    fires: [],
  },
  {
    alert: 'RoomcastDeliverySlow',
    when: 'one of ten takes two seconds',
    series: histogram('gateway', 'roomcast_gateway_delivery_latency_seconds', {
      le: '1',
      within: 90,
      beyond: 10,
      next: '2.5',
    }),
    at: 12,
    fires: [{ says: 'One delivery of a hundred takes 2.35s or longer after the append.' }],
  },
  {
    alert: 'RoomcastDeliverySlow',
    when: 'nobody talks',
    series: histogram('gateway', 'roomcast_gateway_delivery_latency_seconds', {
      le: '1',
      within: 0,
      beyond: 0,
      next: '2.5',
    }),
    at: 12,
    fires: [],
  },
  {
    alert: 'RoomcastOutboxFilling',
    when: 'it is more than half full',
    series: { [of('gateway', 'roomcast_gateway_outbox_messages')]: '6000x30' },
    at: 4,
    fires: [{ labels: gatewayPod, says: `6k messages wait in ${PODS.gateway}.` }],
  },
  {
    alert: 'RoomcastOutboxFilling',
    when: 'it was, for a moment',
    series: { [of('gateway', 'roomcast_gateway_outbox_messages')]: '0 6000 10x30' },
    at: 4,
    fires: [],
  },
  {
    alert: 'RoomcastGaps',
    when: 'one in five seconds',
    series: { [gap('gap')]: '0+6x30', [gap('behind')]: '0+6x30' },
    at: 15,
    fires: [
      {
        says: '200m times a second a gateway finds that messages did not come, and reads them from the log.',
      },
    ],
  },
  {
    alert: 'RoomcastGaps',
    when: 'subscriptions were made again',
    series: { [gap('gap')]: '0x30', [gap('resumed')]: '0+100x30' },
    at: 15,
    fires: [],
  },
  {
    alert: 'RoomcastInternalErrors',
    when: 'there were some',
    series: { [refused('internal')]: '0+1x30' },
    at: 15,
    fires: [{ says: '10 requests in ten minutes were answered with internal.' }],
  },
  {
    alert: 'RoomcastInternalErrors',
    when: 'requests were at fault themselves',
    series: { [refused('internal')]: '0x30', [refused('invalid')]: '0+10x30' },
    at: 15,
    fires: [],
  },
  {
    alert: 'RoomcastUnreadableMessages',
    when: 'there are some',
    series: { [of('broker', 'roomcast_broker_unreadable_messages_total')]: '0+2x30' },
    at: 15,
    fires: [
      { says: '20 times in ten minutes a message was left out because it could not be read.' },
    ],
  },
  {
    alert: 'RoomcastUnreadableMessages',
    when: 'there are none',
    series: { [of('broker', 'roomcast_broker_unreadable_messages_total')]: '0x30' },
    at: 15,
    fires: [],
  },
]

const leader = (pod: Pod): string => of(pod, 'roomcast_presence_leader')
const reporting = (pod: Pod): string => of(pod, 'roomcast_presence_reporting_gateways')
const reported = (pod: Pod, gateway: Pod): string =>
  of(pod, 'roomcast_presence_connections', { gateway: PODS[gateway] })
const failures = (use: string): string =>
  of('presence', 'roomcast_presence_kubernetes_failures_total', { use })

const PRESENCE: readonly Situation[] = [
  {
    alert: 'RoomcastNoPresence',
    when: 'neither replica is ready',
    series: { [ready('presence')]: '0x30', [ready('presence 2')]: '0x30' },
    at: 4,
    fires: [{ says: 'No replica of presence is ready, or none is scraped.' }],
  },
  {
    alert: 'RoomcastNoPresence',
    when: 'one is ready',
    series: { [ready('presence')]: '0x30', [ready('presence 2')]: '1x30' },
    at: 4,
    fires: [],
  },
  {
    alert: 'RoomcastNoLeader',
    when: 'neither leads',
    series: { [leader('presence')]: '0x30', [leader('presence 2')]: '0x30' },
    at: 4,
    fires: [
      {
        says: 'Nobody writes deletion costs, rebalances, or has the quits of lost gateways announced.',
      },
    ],
  },
  {
    alert: 'RoomcastNoLeader',
    when: 'leadership changes',
    series: { [leader('presence')]: '1 0x30', [leader('presence 2')]: '0x1 1x30' },
    at: 4,
    fires: [],
  },
  {
    alert: 'RoomcastTwoLeaders',
    when: 'both lead',
    series: { [leader('presence')]: '1x30', [leader('presence 2')]: '1x30' },
    at: 4,
    fires: [{ says: '2 replicas of presence lead.' }],
  },
  {
    alert: 'RoomcastTwoLeaders',
    when: 'they were scraped before and after a change',
    series: { [leader('presence')]: '1x1 0x30', [leader('presence 2')]: '0 1x30' },
    at: 4,
    fires: [],
  },
  {
    alert: 'RoomcastGatewaysNotReporting',
    when: 'a pod is not heard',
    series: { [of('presence', 'roomcast_presence_silent_pods')]: '1x30' },
    at: 4,
    fires: [{ says: '1 gateways are not heard by a replica of presence.' }],
  },
  {
    alert: 'RoomcastGatewaysNotReporting',
    when: 'one replica hears fewer than are ready',
    series: {
      [ready('gateway')]: '1x30',
      [ready('gateway 2')]: '1x30',
      [reporting('presence')]: '2x30',
      [reporting('presence 2')]: '1x30',
    },
    at: 4,
    fires: [{ says: '1 gateways are not heard by a replica of presence.' }],
  },
  {
    alert: 'RoomcastGatewaysNotReporting',
    when: 'all are heard, one that drains among them',
    series: {
      [of('presence', 'roomcast_presence_silent_pods')]: '0x30',
      [ready('gateway')]: '1x30',
      [ready('gateway 2')]: '0x30',
      [reporting('presence')]: '2x30',
      [reporting('presence 2')]: '2x30',
    },
    at: 4,
    fires: [],
  },
  {
    alert: 'RoomcastCountsDisagree',
    when: 'presence leaves one of two gateways out',
    series: {
      [connections('gateway')]: '100x30',
      [connections('gateway 2')]: '100x30',
      [reported('presence', 'gateway')]: '100x30',
      [reported('presence 2', 'gateway')]: '100x30',
    },
    at: 12,
    fires: [{ says: 'Presence and the gateways differ by 100 connections.' }],
  },
  {
    alert: 'RoomcastCountsDisagree',
    when: 'they were scraped at different moments, and one replica is young',
    series: {
      [connections('gateway')]: '100x30',
      [connections('gateway 2')]: '100x30',
      [reported('presence', 'gateway')]: '95x30',
      [reported('presence', 'gateway 2')]: '90x30',
      [reported('presence 2', 'gateway')]: '50x30',
    },
    at: 12,
    fires: [],
  },
  {
    alert: 'RoomcastLeasesExpiring',
    when: 'a gateway is forgotten again and again',
    series: { [of('presence', 'roomcast_presence_expired_leases_total')]: '0+1x30' },
    at: 20,
    fires: [
      {
        says: '15 times in 15 minutes a gateway was silent for so long that presence forgot it.',
      },
    ],
  },
  {
    alert: 'RoomcastLeasesExpiring',
    when: 'a node was lost, with two gateways',
    series: { [of('presence', 'roomcast_presence_expired_leases_total')]: '0x9 2x30' },
    at: 20,
    fires: [],
  },
  {
    alert: 'RoomcastKubernetesFailing',
    when: 'the watch is refused',
    series: { [failures('pods')]: '0+60x30', [failures('lease')]: '0x30' },
    at: 15,
    fires: [{ labels: { use: 'pods' }, says: '1 requests a second for pods fail.' }],
  },
  {
    alert: 'RoomcastKubernetesFailing',
    when: 'the API server was away for a minute',
    series: { [failures('pods')]: '0x5 5x30', [failures('lease')]: '0x5 5x30' },
    at: 15,
    fires: [],
  },
]

const delay = (pod: Pod): string => of(pod, 'nodejs_eventloop_delay_p99')
const cpu = (pod: Pod): string => of(pod, 'process_cpu_seconds_total')
const rss = (pod: Pod): string => of(pod, 'process_resident_memory_bytes')
const workingSet = (pod: Pod, container: string): string =>
  of(pod, 'container_memory_working_set_bytes', { container })

const RESOURCES: readonly Situation[] = [
  {
    alert: 'RoomcastEventLoopBlocked',
    when: 'a presence replica is late by half a second',
    series: { [delay('presence')]: '0.5x30', [delay('gateway')]: '0.03x30' },
    at: 7,
    fires: [
      {
        labels: { pod: PODS.presence },
        says: `The event loop of ${PODS.presence} is late by 500ms.`,
      },
    ],
  },
  {
    alert: 'RoomcastEventLoopBlocked',
    when: 'it was, for a minute',
    series: { [delay('presence')]: '0.02x2 0.5 0.02x30' },
    at: 7,
    fires: [],
  },
  {
    alert: 'RoomcastGatewayBusy',
    when: 'a gateway uses all of its CPU',
    series: { [cpu('gateway')]: '0+57x30' },
    at: 20,
    fires: [
      {
        labels: gatewayPod,
        says: `${PODS.gateway} uses 95% of a CPU, and can use little more than one.`,
      },
    ],
  },
  {
    alert: 'RoomcastGatewayBusy',
    when: 'two gateways use half of one each',
    series: { [cpu('gateway')]: '0+30x30', [cpu('gateway 2')]: '0+30x30' },
    at: 20,
    fires: [],
  },
  {
    alert: 'RoomcastMemoryHigh',
    when: 'nobody scrapes the containers',
    series: { [rss('gateway')]: '1020054732x30', [rss('broker')]: '100000000x30' },
    at: 7,
    fires: [
      { labels: gatewayPod, says: `${PODS.gateway} uses 95% of the memory that it may have.` },
    ],
  },
  {
    alert: 'RoomcastMemoryHigh',
    when: 'Valkey and a broker fill up, as the node counts',
    series: {
      [workingSet('valkey', 'valkey')]: '805306368x30',
      [workingSet('broker', 'broker')]: '510027366x30',
      [rss('broker')]: '100000000x30',
    },
    at: 7,
    fires: [
      {
        labels: { pod: PODS.valkey },
        says: `${PODS.valkey} uses 100% of the memory that it may have.`,
      },
      {
        labels: { pod: PODS.broker },
        says: `${PODS.broker} uses 95% of the memory that it may have.`,
      },
    ],
  },
  {
    alert: 'RoomcastMemoryHigh',
    when: 'the process counts what the node does not',
    series: {
      [workingSet('gateway', 'gateway')]: '800000000x30',
      [rss('gateway')]: '1020054732x30',
    },
    at: 7,
    fires: [],
  },
]

export const SITUATIONS: readonly Situation[] = [
  ...CONNECTIONS,
  ...MESSAGES,
  ...PRESENCE,
  ...RESOURCES,
]
