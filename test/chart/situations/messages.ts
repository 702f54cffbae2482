import { gatewayPod, histogram, of, PODS, ready, type Situation } from './situation.ts'

const refused = (code: string): string =>
  of('gateway', 'roomcast_gateway_request_errors_total', { code })
const received = of('gateway', 'roomcast_gateway_messages_received_total')
const append = (result: string): string => of('broker', 'roomcast_broker_appends_total', { result })
const gap = (reason: string): string => of('gateway', 'roomcast_gateway_gaps_total', { reason })

export const ON_MESSAGES: readonly Situation[] = [
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
