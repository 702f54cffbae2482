import { connections, of, PODS, ready, type Pod, type Situation } from './situation.ts'

const leader = (pod: Pod): string => of(pod, 'roomcast_presence_leader')
const reporting = (pod: Pod): string => of(pod, 'roomcast_presence_reporting_gateways')
const reported = (pod: Pod, gateway: Pod): string =>
  of(pod, 'roomcast_presence_connections', { gateway: PODS[gateway] })
const failures = (use: string): string =>
  of('presence', 'roomcast_presence_kubernetes_failures_total', { use })

export const ON_PRESENCE: readonly Situation[] = [
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
