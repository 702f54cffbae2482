import { gatewayPod, of, PODS, type Pod, type Situation } from './situation.ts'

const hook = (hook: string, result: string): string =>
  of('gateway', 'roomcast_gateway_hook_requests_total', { hook, result })
const keyReads = (pod: Pod, result: string): string =>
  of(pod, 'roomcast_gateway_jwks_reads_total', { result })
const rereads = (pod: Pod, service: string, secret: string, result: string): string =>
  of(pod, `roomcast_${service}_secret_rereads_total`, { secret, result })
const waiting = (pod: Pod): string => of(pod, 'roomcast_gateway_waiting_handshakes')
const refused = (pod: Pod, reason: string): string =>
  of(pod, 'roomcast_gateway_refused_total', { reason })

export const ON_ACCESS: readonly Situation[] = [
  {
    alert: 'RoomcastHooksFailing',
    when: 'the backend is away for messages, and is left alone',
    series: {
      [hook('join', 'allowed')]: '0+60x30',
      [hook('say', 'allowed')]: '0+30x30',
      [hook('say', 'timeout')]: '0+10x30',
      [hook('say', 'rested')]: '0+20x30',
    },
    at: 10,
    fires: [
      {
        labels: { hook: 'say' },
        says: '50% of the questions about say get no answer that can be used.',
      },
    ],
  },
  {
    alert: 'RoomcastHooksFailing',
    when: 'it says no to many, and seldom fails',
    series: {
      [hook('say', 'allowed')]: '0+30x30',
      [hook('say', 'denied')]: '0+30x30',
      [hook('say', 'failed')]: '0+1x30',
    },
    at: 10,
    fires: [],
  },
  {
    alert: 'RoomcastKeySetUnreadable',
    when: 'a gateway tries in vain, and another reads it',
    series: {
      [keyReads('gateway', 'failed')]: '0+6x30',
      [keyReads('gateway', 'read')]: '1x30',
      [keyReads('gateway 2', 'failed')]: '0x30',
      [keyReads('gateway 2', 'read')]: '0+1x30',
    },
    at: 15,
    fires: [
      {
        labels: gatewayPod,
        says: `${PODS.gateway} tried 30 times in five minutes to read the key set of tokens, and could not.`,
      },
    ],
  },
  {
    alert: 'RoomcastKeySetUnreadable',
    when: 'every other attempt succeeds, and nobody asks another gateway for anything',
    series: {
      [keyReads('gateway', 'failed')]: '0+1x30',
      [keyReads('gateway', 'read')]: '0+1x30',
      [keyReads('gateway 2', 'failed')]: '0x30',
      [keyReads('gateway 2', 'read')]: '1x30',
    },
    at: 15,
    fires: [],
  },
  {
    alert: 'RoomcastSecretUnreadable',
    when: 'a broker finds a fault in its keys',
    series: {
      [rereads('broker', 'broker', 'api_keys', 'failed')]: '0x10 1x90',
      [rereads('presence', 'presence', 'api_keys', 'failed')]: '0x100',
      [rereads('gateway', 'gateway', 'internal_token', 'failed')]: '0x100',
    },
    at: 30,
    fires: [
      {
        labels: { pod: PODS.broker, secret: 'api_keys' },
        says: `${PODS.broker} can not use what its file of api_keys says since it changed, and goes on with what it had.`,
      },
    ],
  },
  {
    alert: 'RoomcastSecretUnreadable',
    when: 'files change, and a fault was found hours ago',
    series: {
      [rereads('broker', 'broker', 'api_keys', 'failed')]: '0x10 1x200',
      [rereads('broker', 'broker', 'api_keys', 'changed')]: '0+1x210',
    },
    at: 180,
    fires: [],
  },
  {
    alert: 'RoomcastHandshakesWaiting',
    when: 'the queue of one gateway stays long',
    series: { [waiting('gateway')]: '1500x30', [waiting('gateway 2')]: '700x30' },
    at: 5,
    fires: [{ labels: gatewayPod, says: `1.5k new connections wait at ${PODS.gateway}.` }],
  },
  {
    alert: 'RoomcastHandshakesWaiting',
    when: 'a storm is over within a minute',
    series: { [waiting('gateway')]: '0x3 4000 1500 0x30' },
    at: 5,
    fires: [],
  },
  {
    alert: 'RoomcastRefusingConnections',
    when: 'gateways are full, together',
    series: {
      [refused('gateway', 'full')]: '0+60x30',
      [refused('gateway 2', 'full')]: '0+60x30',
      [refused('gateway', 'origin')]: '0+30x30',
    },
    at: 15,
    fires: [{ labels: { reason: 'full' }, says: '2 connections a second are refused: full.' }],
  },
  {
    alert: 'RoomcastRefusingConnections',
    when: 'members are refused what they do too often, a gateway ends, and one was full for a minute',
    series: {
      [refused('gateway', 'says')]: '0+600x30',
      [refused('gateway', 'ending')]: '0+600x30',
      [refused('gateway 2', 'full')]: '0x5 300x25',
    },
    at: 15,
    fires: [],
  },
]
