import { connections, gatewayPod, of, PODS, ready, type Pod, type Situation } from './situation.ts'

const closed = (pod: Pod, reason: string): string =>
  of(pod, 'roomcast_gateway_closed_total', { reason })
const recovery = (result: string): string =>
  of('gateway', 'roomcast_gateway_recoveries_total', { result })

export const ON_CONNECTIONS: readonly Situation[] = [
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
    series: {
      [connections('gateway')]: '38000x30',
      [connections('gateway', 'polling')]: '2500x30',
    },
    at: 12,
    fires: [{ labels: gatewayPod, says: `${PODS.gateway} has 40.5k connections.` }],
  },
  {
    alert: 'RoomcastConnectionsHigh',
    when: 'two gateways have them together',
    series: { [connections('gateway')]: '38000x30', [connections('gateway 2')]: '38000x30' },
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
