import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { Said } from '@roomcast/protocol'
import { joinRoom, says } from '../support/clients.ts'
import { startCollector, type ReceivedSpan, type TestCollector } from '../support/collector.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

let collector: TestCollector
let deployment: Deployment
beforeAll(async () => {
  collector = await startCollector()
  deployment = await startDeployment({
    env: {
      LOG_LEVEL: 'debug',
      OTLP_TRACES_URL: collector.url,
      OTLP_HEADERS: 'x-scope=chat,authorization=Basic abc=',
      TRACE_SAMPLE_RATIO: '1',
    },
  })
}, 60_000)
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
  await collector[Symbol.asyncDispose]()
})

const urlOf = (i: number): string => deployment.gateways[i]?.url ?? ''

/** A trace that somebody else began: its id, its span there, and what names both. */
function foreignTrace() {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` }
}

const inTrace = (traceId: string): ReceivedSpan[] =>
  collector.spans().filter((span) => span.traceId === traceId)

/** The spans of a trace when so many are there, each as `service name < parent's service name`. */
async function told(traceId: string, spans: number): Promise<string[]> {
  const received = await until(`${spans} spans of ${traceId}`, () => {
    const found = inTrace(traceId)
    return found.length >= spans && found
  })
  const named = new Map(received.map((span) => [span.spanId, `${span.service} ${span.name}`]))
  return received
    .map(
      ({ service, name, parentSpanId }) =>
        `${service} ${name} < ${named.get(parentSpanId) ?? parentSpanId}`,
    )
    .sort()
}

/** A whole trace of a message in a room that two gateways have. */
const whole = (parent: string): string[] => [
  'roomcast-broker append < roomcast-gateway append',
  'roomcast-broker room log append < roomcast-broker append',
  'roomcast-gateway append < roomcast-gateway say',
  'roomcast-gateway deliver < roomcast-broker room log append',
  'roomcast-gateway deliver < roomcast-broker room log append',
  `roomcast-gateway say < ${parent}`,
]

it('a message is one trace, from its sender over gateway, broker and Redis to the write of each gateway', async () => {
  const [alice, bob] = await Promise.all([
    joinRoom(urlOf(0), 'traced', 'alice'),
    joinRoom(urlOf(1), 'traced', 'bob'),
  ])
  const sender = foreignTrace()
  await alice.ask('say', { text: 'hello', traceparent: sender.traceparent })
  const { message } = await bob.got('the message', says('hello'))
  expect(JSON.stringify(message)).not.toContain(sender.traceId)

  expect(await told(sender.traceId, 6)).toEqual(whole(sender.spanId))
  const spans = inTrace(sender.traceId)
  const say = spans.find(({ name }) => name === 'say')
  const delivered = spans.filter(({ name }) => name === 'deliver')
  for (const { startNs, endNs } of spans) expect(endNs >= startNs && endNs > 0n).toBe(true)
  for (const { startNs } of spans) expect(startNs >= (say?.startNs ?? 0n)).toBe(true)
  expect(delivered.map(({ attributes }) => attributes)).toEqual([
    { 'roomcast.room': 'traced', 'roomcast.members': 1 },
    { 'roomcast.room': 'traced', 'roomcast.members': 1 },
  ])
  expect([...collector.header('x-scope')]).toEqual(['chat'])
  expect([...collector.header('authorization')]).toEqual(['Basic abc='])

  // A log line that belongs to it names it.
  const line = await until('a line with the trace', () =>
    deployment.logged().find((fields) => fields['trace_id'] === sender.traceId),
  )
  expect(line).toMatchObject({ msg: 'answered a traced message', span_id: say?.spanId })
  for (const client of [alice, bob]) client.close()
})

it('messages that are appended together have a whole trace each', async () => {
  const [alice, bob] = await Promise.all([
    joinRoom(urlOf(0), 'together', 'alice'),
    joinRoom(urlOf(1), 'together', 'bob'),
  ])
  const traces = Array.from({ length: 5 }, foreignTrace)
  await Promise.all(
    traces.map(({ traceparent }, i) => alice.ask('say', { text: `text ${i}`, traceparent })),
  )
  for (const { traceId, spanId } of traces) expect(await told(traceId, 6)).toEqual(whole(spanId))
  for (const client of [alice, bob]) client.close()
})

it.each([
  ['its auth', (traceparent: string) => ({ auth: { traceparent } })],
  ['a header', (traceparent: string) => ({ extraHeaders: { traceparent } })],
  ['the query', (traceparent: string) => ({ query: { roomid: 'shaken', traceparent } })],
])('a connection may name the trace of its messages by %s', async (_, options) => {
  const client = foreignTrace()
  const alice = await joinRoom(urlOf(0), 'shaken', 'alice', options(client.traceparent))
  await alice.ask('say', { text: 'hello' })
  expect(await told(client.traceId, 5)).toContain(`roomcast-gateway say < ${client.spanId}`)
  alice.close()
})

it('a backend continues its trace by publishing with traceparent', async () => {
  const alice = await joinRoom(urlOf(0), 'published', 'alice')
  const backend = foreignTrace()
  await fetch(`${deployment.brokers[0]?.url}/v1/rooms/published/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: backend.traceparent },
    body: JSON.stringify({ username: 'robot', text: 'deployed' }),
  })
  await alice.got('the message', says('deployed'))
  expect(await told(backend.traceId, 3)).toEqual([
    `roomcast-broker append < ${backend.spanId}`,
    'roomcast-broker room log append < roomcast-broker append',
    'roomcast-gateway deliver < roomcast-broker room log append',
  ])
  alice.close()
})

it('with a ratio of 0 nothing is traced but what its sender traces', async () => {
  const gateway = await deployment.addGateway({ TRACE_SAMPLE_RATIO: '0' })
  const alice = await joinRoom(gateway.url, 'quiet', 'alice')
  const [unsampled, sampled] = [foreignTrace(), foreignTrace()]
  await alice.ask('say', { text: 'by chance' })
  await alice.ask('say', {
    text: 'not sampled',
    traceparent: unsampled.traceparent.replace(/1$/, '0'),
  })
  await alice.ask('say', { text: 'nonsense', traceparent: '00-nothing-01' })
  await alice.ask('say', { text: 'sampled', traceparent: sampled.traceparent })
  expect(await told(sampled.traceId, 5)).toHaveLength(5)
  // Spans leave in the order of their ends, so earlier ones would be here.
  const ofRoom = collector.spans().filter((span) => span.attributes['roomcast.room'] === 'quiet')
  expect(new Set(ofRoom.map(({ traceId }) => traceId))).toEqual(new Set([sampled.traceId]))
  alice.close()
})

it('a collector that is away harms nothing, and is counted', async () => {
  const gateway = await deployment.addGateway({ OTLP_TRACES_URL: 'http://127.0.0.1:1/v1/traces' })
  const alice = await joinRoom(gateway.url, 'away', 'alice')
  expect((await alice.ask<Said>('say', { text: 'hello' })).ok).toBe(true)
  await until('a failed export', async () => {
    const page = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
    return /^roomcast_spans_exported_total\{result="failed"\} [1-9]/m.test(page)
  })
  expect((await alice.ask<Said>('say', { text: 'still here' })).ok).toBe(true)
  alice.close()
  gateway.signal('SIGTERM')
  expect(await gateway.ended()).toBe(0)
})
