import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { HistoryPage, MemberList, Said } from '@roomcast/protocol'
import {
  connectClient,
  joinRoom,
  says,
  type ClientOptions,
  type TestClient,
} from '../support/clients.ts'
import { getJson, startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

let deployment: Deployment
const clients: TestClient[] = []
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  clients.push(await client)
  return client
}
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''

beforeAll(async () => {
  deployment = await startDeployment({
    gateways: 2,
    env: { QUIT_GRACE_MS: '200', CORS_ORIGINS: '*' },
  })
}, 60_000)
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(async () => deployment[Symbol.asyncDispose]())

/** How much later than on an idle machine something may be seen on a busy one. */
const BUSY_MS = 1_500

const TRANSPORTS: [string, ClientOptions][] = [
  ['websocket alone', { transports: ['websocket'] }],
  ['polling alone', { transports: ['polling'] }],
  ['polling with upgrade', { transports: ['polling', 'websocket'] }],
]

describe.each([4, 2] as const)('a stock v%i client', (generation) => {
  it.each(TRANSPORTS)('over %s chats with a member on another gateway', async (name, transport) => {
    const room = `v${generation} ${name} 漢字`
    const alice = await keep(joinRoom(gateway(0), room, 'alice', { generation, ...transport }))
    const bob = await keep(joinRoom(gateway(1), room, 'bob'))
    await alice.got(
      'the join of bob',
      ({ event, data }) => event === 'join' && data.username === 'bob',
    )
    const said = await alice.ask<Said>('say', { text: 'hello', type: 0, username: 'mallory' })
    expect(said.ok).toBe(true)
    const { message, offset } = await bob.got('the message', says('hello'))
    expect(message).toMatchObject({
      event: 'broadcast_say',
      room,
      data: { username: 'alice', text: 'hello', type: 0 },
      id: said.id,
    })
    expect(offset).toBe(said.offset)
    await bob.ask('say', { text: 'hello yourself', data: { mood: ['fine'] } })
    await alice.got('the answer', says('hello yourself'))
    if (transport.transports?.length === 2 && generation === 4) {
      await until('the upgrade', () => alice.socket.io.engine.transport.name === 'websocket')
    }
    alice.close()
    await bob.got(
      'the quit of alice',
      ({ event, data }) => event === 'broadcast_quit' && data.username === 'alice',
    )
  })

  it('chats in a room of its own namespace, several over one connection', async () => {
    const room = `namespace, v${generation}? é/x`
    const bob = await keep(joinRoom(gateway(1), room, 'bob'))
    const alice = await keep(
      joinRoom(gateway(0), room, 'alice', {
        generation,
        namespace: room,
        query: { roomid: 'ignored' },
      }),
    )
    const [a, b] = await Promise.all([
      alice.ask<Said>('say', { text: 'from the namespace' }),
      bob.ask<Said>('say', { text: 'from the main one' }),
    ])
    expect([a.ok, b.ok]).toEqual([true, true])
    await bob.got('the message', says('from the namespace'))
    await alice.got('the message', says('from the main one'))
  })
})

it('the new member alone is told who he is, how many there are, and where his messages begin', async () => {
  const alice = await keep(joinRoom(gateway(0), 'joined', 'alice'))
  const bob = await keep(joinRoom(gateway(1), 'joined', 'bob'))
  const { message, offset } = await bob.got('joined', ({ event }) => event === 'joined')
  expect(message).toMatchObject({
    room: 'joined',
    data: { username: 'bob', online: expect.any(Number) },
  })
  expect(offset).toMatch(/^\w+:\d+$/)
  expect(bob.received[0]?.message.event).toBe('joined')
  await alice.got(
    'the join of bob',
    ({ event, data }) => event === 'join' && data.username === 'bob',
  )
  expect(alice.received.filter(({ message: m }) => m.event === 'joined')).toHaveLength(1)
})

it('members are told the count of the whole cluster, as the HTTP API tells it', async () => {
  const members = await Promise.all(
    [0, 1, 0, 1].map((i, n) => keep(joinRoom(gateway(i), 'counted', `member ${n}`))),
  )
  for (const member of members) {
    await member.got('a count of 4', ({ event, data }) => event === 'count' && data.online === 4)
  }
  const presence = deployment.presences[0]?.url ?? ''
  expect(await getJson(`${presence}/v1/rooms/counted`)).toMatchObject({
    room: 'counted',
    online: 4,
    gateways: 2,
  })
  members[0]?.close()
  await members[1]?.got('a count of 3', ({ event, data }) => event === 'count' && data.online === 3)
})

it('a count comes within a second of a change, and at most once a second while many come and go', async () => {
  const bob = await keep(joinRoom(gateway(1), 'busy', 'bob'))
  const counts = (): number[] =>
    bob.received.flatMap(({ message }) => (message.event === 'count' ? [message.data.online] : []))
  const isLast = (online: number) => () => counts().at(-1) === online
  const started = Date.now()
  while (Date.now() - started < 2_500) (await joinRoom(gateway(0), 'busy', 'guest')).close()
  await until('him alone', isLast(1))
  // One at the beginning of each second, and one that tells the end.
  expect(counts().length).toBeLessThanOrEqual((Date.now() - started) / 1_000 + 2)
  const joined = await keep(joinRoom(gateway(0), 'busy', 'carol'))
  const changed = Date.now()
  await until('both', isLast(2))
  joined.close()
  await until('him alone again', isLast(1))
  expect(Date.now() - changed).toBeLessThan(2 * 1_000 + BUSY_MS)
})

it('a member is told who is here: each name once with its connections, the numbers alone over the limit', async () => {
  const alice = await keep(joinRoom(gateway(0), 'who', 'alice'))
  await keep(joinRoom(gateway(1), 'who', 'alice'))
  await keep(joinRoom(gateway(1), 'who', 'bob', { generation: 2 }))
  await alice.got('a count of 3', ({ event, data }) => event === 'count' && data.online === 3)
  const { ok, ...answer } = await alice.ask<MemberList>('members', {})
  expect(ok).toBe(true)
  expect(answer).toMatchObject({ room: 'who', online: 3, users: 2 })
  const found = answer.members?.map(({ name, gateway: pod, connections }) => [
    name,
    pod,
    connections,
  ])
  expect(found).toEqual([
    ['alice', 'gateway-1', 2],
    ['bob', 'gateway-2', 1],
  ])
  expect(answer.members?.every(({ since }) => Math.abs(Date.now() - since) < 60_000)).toBe(true)
  const url = `${deployment.presences[0]?.url}/v1/rooms/who/members`
  expect(await getJson(url)).toEqual(answer)
  const numbers = { room: 'who', online: 3, users: 2 }
  expect(await alice.ask('members', { limit: 1 })).toEqual({ ok: true, ...numbers })
  expect(await getJson(`${url}?limit=1`)).toEqual(numbers)
})

it('who comes late gets the history when he asks, page by page', async () => {
  const alice = await keep(joinRoom(gateway(0), 'history', 'alice'))
  for (let i = 0; i < 30; i++) await alice.ask('say', { text: `${i}` })
  const bob = await keep(joinRoom(gateway(1), 'history', 'bob'))
  const textsOf = ({ messages }: HistoryPage): string[] =>
    messages.flatMap((message) => (message.event === 'broadcast_say' ? [message.data.text] : []))
  const latest = await bob.ask<HistoryPage>('history', { limit: 10 })
  expect(latest).toMatchObject({ ok: true, complete: true })
  expect(textsOf(latest).at(-1)).toBe('29')
  const earlier = await bob.ask<HistoryPage>('history', {
    before: latest.messages[0]?.offset,
    limit: 200,
  })
  expect([...textsOf(earlier), ...textsOf(latest)]).toEqual(
    Array.from({ length: 30 }, (_, i) => `${i}`),
  )
  const first = earlier.messages[0]
  expect(first).toMatchObject({ event: 'join', data: { username: 'alice' } })
  const after = await bob.ask<HistoryPage>('history', { after: latest.messages.at(-2)?.offset })
  expect(after.messages[0]).toEqual(latest.messages.at(-1))
})

it('the same id from the same sender is one message with one answer, and from another it is another', async () => {
  const alice = await keep(joinRoom(gateway(0), 'ids', 'alice'))
  const bob = await keep(joinRoom(gateway(1), 'ids', 'bob'))
  const [first, second] = await Promise.all(
    [1, 2].map(() => alice.ask<Said>('say', { text: 'once', id: 'x' })),
  )
  expect(second).toEqual(first)
  expect(await bob.ask<Said>('say', { text: 'mine', id: 'x' })).not.toMatchObject({
    offset: first?.offset,
  })
  const again = await keep(joinRoom(gateway(1), 'ids', 'alice'))
  expect(await again.ask<Said>('say', { text: 'once', id: 'x' })).toEqual(first)
  await bob.got('the message of bob', says('mine'))
  expect(bob.texts()).toEqual(['once', 'mine'])
})

it('a say that a stock client sends before its join waits for it', async () => {
  const bob = await keep(joinRoom(gateway(1), 'early', 'bob'))
  const alice = await keep(connectClient(gateway(0), { room: 'early' }))
  const answers = Promise.all([0, 1, 2].map((i) => alice.ask('say', { text: `${i}` })))
  await alice.ask('join', { username: 'alice' })
  expect((await answers).map(({ ok }) => ok)).toEqual([true, true, true])
  await bob.got('the last message', says('2'))
  expect(bob.texts()).toEqual(['0', '1', '2'])
})

it('leaving is announced at once, and the connection may join again under another name', async () => {
  const bob = await keep(joinRoom(gateway(1), 'leave', 'bob'))
  const alice = await keep(joinRoom(gateway(0), 'leave', 'alice'))
  expect(await alice.ask('leave')).toEqual({ ok: true })
  await bob.got(
    'the quit',
    ({ event, data }) => event === 'broadcast_quit' && data.username === 'alice',
  )
  expect(await alice.ask('join', { username: 'alicia' })).toMatchObject({
    ok: true,
    username: 'alicia',
  })
  await bob.got('the join', ({ event, data }) => event === 'join' && data.username === 'alicia')
})

it('a connection that broke is announced after the grace, one that was closed on purpose at once', async () => {
  const bob = await keep(joinRoom(gateway(1), 'quits', 'bob'))
  const alice = await keep(joinRoom(gateway(0), 'quits', 'alice', { reconnection: false }))
  const raw = (alice.socket.io.engine.transport as unknown as { ws: { terminate(): void } }).ws
  raw.terminate()
  await bob.got(
    'the quit',
    ({ event, data }) => event === 'broadcast_quit' && data.username === 'alice',
  )
})

it('an offset is the last thing of logged messages and of joined, and of nothing else', async () => {
  const alice = await keep(joinRoom(gateway(0), 'offsets', 'alice'))
  await alice.ask('say', { text: 'a' })
  alice.socket.emit('say', { text: '' })
  await alice.got('an error', ({ event }) => event === 'error')
  await alice.got('a count', ({ event }) => event === 'count')
  for (const { message, offset } of alice.received) {
    const hasOffset = ['join', 'joined', 'broadcast_say', 'broadcast_quit'].includes(message.event)
    expect([message.event, typeof offset]).toEqual([
      message.event,
      hasOffset ? 'string' : 'undefined',
    ])
  }
})

it('a backend publishes over HTTP, and members get it in order with the rest', async () => {
  const alice = await keep(joinRoom(gateway(0), 'api', 'alice'))
  const broker = deployment.brokers[0]?.url ?? ''
  const response = await fetch(`${broker}/v1/rooms/api/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'robot', text: 'beep' }),
  })
  expect(response.status).toBe(201)
  const published = (await response.json()) as { id: string; offset: string }
  const { message, offset } = await alice.got('the message', says('beep'))
  expect(message).toMatchObject({ data: { username: 'robot', text: 'beep' }, id: published.id })
  expect(offset).toBe(published.offset)
})

it('each service tells its measures', async () => {
  const text = async (url: string | undefined): Promise<string> =>
    (await fetch(`${url}/metrics`)).text()
  const alice = await keep(joinRoom(gateway(0), 'measures', 'alice'))
  await alice.ask('say', { text: 'a' })
  const [first] = deployment.gateways
  const metrics = await text(first?.metricsUrl)
  expect(metrics).toMatch(/^roomcast_gateway_connections\{transport="websocket".*\} [1-9]/m)
  expect(metrics).toMatch(/^roomcast_gateway_members(\{.*\})? [1-9]/m)
  expect(metrics).toMatch(/^roomcast_gateway_rooms(\{.*\})? [1-9]/m)
  expect(metrics).toMatch(/^roomcast_gateway_messages_received_total(\{.*\})? [1-9]/m)
  expect(metrics).toMatch(/^roomcast_gateway_deliveries_total\{path="engine".*\} [1-9]/m)
  expect(metrics).toMatch(/^roomcast_gateway_delivery_latency_seconds_count(\{.*\})? [1-9]/m)
  expect(metrics).toMatch(/^roomcast_gateway_closed_total\{reason="slow".*\} 0/m)
  expect(metrics).toMatch(/^roomcast_gateway_gaps_total\{reason="gap".*\} 0/m)
  expect(metrics).toMatch(/^roomcast_gateway_outbox_messages(\{.*\})? \d/m)
  expect(await text(deployment.brokers[0]?.metricsUrl)).toMatch(
    /^roomcast_broker_appends_total\{result="appended".*\} [1-9]/m,
  )
  expect(await text(deployment.presences[0]?.metricsUrl)).toMatch(
    /^roomcast_presence_connections\{gateway="gateway-1".*\} [1-9]/m,
  )
})
