import { gatewayPod, of, PODS, type Pod, type Situation } from './situation.ts'

const delay = (pod: Pod): string => of(pod, 'nodejs_eventloop_delay_p99')
const cpu = (pod: Pod): string => of(pod, 'process_cpu_seconds_total')
const rss = (pod: Pod): string => of(pod, 'process_resident_memory_bytes')
const workingSet = (pod: Pod, container: string): string =>
  of(pod, 'container_memory_working_set_bytes', { container })

export const ON_RESOURCES: readonly Situation[] = [
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
