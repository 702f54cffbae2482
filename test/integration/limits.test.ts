import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Problem, Refusal } from '@roomcast/protocol'
import type { Socket } from 'socket.io-client'
import { WebSocket } from 'ws'
import { connectClient, joinRoom, type ClientOptions, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment, type TestService } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

const KEY = 'a-key-of-the-team'
const STORM = 150
const STORM_RATE = 40

let deployment: Deployment
/** Two gateways with limits of each kind. */
let first: TestService
let second: TestService
const clients: TestClient[] = []
/** In further namespaces of their connections. */
const sockets: Socket[] = []
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  clients.push(await client)
  return client
}

beforeAll(async () => {
  deployment = await startDeployment({
    env: {
      TRUSTED_PROXIES: '127.0.0.1',
      CONNECTIONS_PER_ADDRESS: '3',
      CONNECTIONS_PER_USER: '2',
      JOIN_RATE_PER_ADDRESS: '1',
      ROOM_RATE_PER_SECOND: '1',
      HTTP_RATE_PER_SECOND: '40',
      API_KEYS: KEY,
    },
  })
  const [a, b] = deployment.gateways
  if (a === undefined || b === undefined) throw new Error('a deployment without gateways')
  first = a
  second = b
}, 60_000)
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
  for (const socket of sockets.splice(0)) socket.disconnect()
})
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
})

/** What a proxy in front writes. */
const from = (address: string): Record<string, string> => ({
  'x-forwarded-for': `198.51.100.7, ${address}`,
})
const by = (address: string, options: ClientOptions = {}): ClientOptions => ({
  ...options,
  extraHeaders: from(address),
})

async function handshake(
  url: string,
  headers: Record<string, string> = {},
): Promise<[number, Problem, Headers]> {
  const answer = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers })
  const text = await answer.text()
  return [answer.status, (text.startsWith('{') ? JSON.parse(text) : {}) as Problem, answer.headers]
}

/** The status with which a websocket is refused; 101 when it is not. */
function upgrade(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const websocket = new WebSocket(
      `${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`,
      { headers },
    )
    websocket.once('open', () => {
      websocket.close()
      resolve(101)
    })
    websocket.once('unexpected-response', (request, { statusCode }) => {
      request.destroy()
      resolve(statusCode ?? 0)
    })
    websocket.once('error', reject)
  })
}

async function refused(service: TestService, reason: string): Promise<number> {
  const text = await (await fetch(`${service.metricsUrl}/metrics`)).text()
  return Number(
    new RegExp(`^roomcast_\\w+_refused_total{reason="${reason}"[^}]*} (\\d+)`, 'm').exec(text)?.[1],
  )
}

describe('connections of one address', () => {
  it.each([
    ['IPv4', '203.0.113.1', '203.0.113.1', '203.0.113.2'],
    ['IPv6, by the first 64 bits', '2001:db8:1:1::1', '2001:db8:1:1:ffff::2', '2001:db8:1:2::1'],
  ])(
    '%s: three are let in, the fourth gets 429 over both transports, until one has gone',
    async (_, address, same, other) => {
      const three = await Promise.all(
        [1, 2, 3].map(() => keep(connectClient(first.url, by(address)))),
      )
      const [status, problem, headers] = await handshake(first.url, from(same))
      expect(status).toBe(429)
      expect(problem).toMatchObject({ code: 'too_many', status: 429, retryAfterMs: 5_000 })
      expect(headers.get('retry-after')).toBe('5')
      expect(await upgrade(first.url, from(same))).toBe(429)
      expect(await refused(first, 'address_connections')).toBeGreaterThanOrEqual(2)
      // Another address, and this one at another gateway.
      await keep(connectClient(first.url, by(other)))
      await keep(connectClient(second.url, by(same)))
      three[0]?.close()
      await until('room for one', async () => (await upgrade(first.url, from(same))) === 101)
    },
  )

  it('what a client itself writes into X-Forwarded-For does not count', async () => {
    for (let i = 0; i < 3; i++) await keep(connectClient(first.url, by('203.0.113.9')))
    const forged = { 'x-forwarded-for': '192.0.2.1, 203.0.113.9' }
    expect(await upgrade(first.url, forged)).toBe(429)
  })
})

it('a user is in rooms over two connections, and over a third is not; rooms over one connection are one', async () => {
  const options = by('203.0.113.20')
  const one = await keep(joinRoom(first.url, 'users', 'bob', options))
  const another = one.socket.io.socket('/rooms/users%202')
  sockets.push(another.connect())
  await until('the second room', () => another.connected)
  expect(await another.emitWithAck('join', { username: 'bob' })).toMatchObject({ ok: true })
  const two = await keep(joinRoom(first.url, 'users', 'bob', options))
  const three = await keep(connectClient(first.url, { ...options, room: 'users' }))
  const refusal = await three.ask<Refusal>('join', { username: 'bob' })
  expect(refusal).toMatchObject({ ok: false, code: 'too_many', retryAfterMs: 5_000 })
  expect(await refused(first, 'user_connections')).toBe(1)
  expect(await two.ask('leave')).toMatchObject({ ok: true })
  expect(await three.ask('join', { username: 'bob' })).toMatchObject({ ok: true })
})

it('joins from one address: ten at once, then one a second', async () => {
  const client = await keep(connectClient(first.url, by('203.0.113.30', { room: 'joins' })))
  // Each socket has a rate as well: over several namespaces it is the address's that is met.
  const startedAt = Date.now()
  const join = async (i: number): Promise<Record<string, unknown>> => {
    const socket = client.socket.io.socket(`/rooms/joins%20${i}`)
    sockets.push(socket.connect())
    await until('a room', () => socket.connected)
    return (await socket.emitWithAck('join', { username: `of ${i}` })) as Record<string, unknown>
  }
  let taken = 0
  let answer = await join(taken)
  while (answer['ok'] === true) answer = await join(++taken)
  expect(answer).toMatchObject({ code: 'rate_limited' })
  expect(taken).toBeGreaterThanOrEqual(10)
  expect(taken).toBeLessThanOrEqual(10 + Math.ceil((Date.now() - startedAt) / 1_000))
  expect(await refused(first, 'address_joins')).toBe(1)
})

it('a room has one rate for all gateways', async () => {
  const members = await Promise.all([
    keep(joinRoom(first.url, 'rate', 'alice', by('203.0.113.40'))),
    keep(joinRoom(second.url, 'rate', 'bob', by('203.0.113.41'))),
  ])
  const answers: Record<string, unknown>[] = []
  const startedAt = Date.now()
  for (let i = 0; i < 20; i++)
    answers.push(
      ...(await Promise.all(members.map((member) => member.ask('say', { text: `${i}` })))),
    )
  const seconds = (Date.now() - startedAt) / 1_000
  const taken = answers.filter(({ ok }) => ok === true).length
  // Two of the ten were the joins. Each gateway may let through one that the other has not told it of yet.
  expect(taken).toBeGreaterThanOrEqual(7)
  expect(taken).toBeLessThanOrEqual(10 + Math.ceil(seconds))
  const refusal = answers.find(({ ok }) => ok === false)
  expect(refusal).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
  expect((await refused(first, 'room_messages')) + (await refused(second, 'room_messages'))).toBe(
    answers.length - taken,
  )
})

describe('a page', () => {
  it('of another host gets 403 over both transports; of the same host name, or with no Origin, it is let in', async () => {
    const { hostname } = new URL(first.url)
    for (const origin of ['https://evil.example', 'null', 'file://']) {
      const [status, problem] = await handshake(first.url, { origin })
      expect([status, problem.code]).toEqual([403, 'forbidden'])
      expect(await upgrade(first.url, { origin })).toBe(403)
    }
    expect(await refused(first, 'origin')).toBe(6)
    for (const origin of [first.url, `http://${hostname}:3000`, `https://${hostname}`])
      expect(await upgrade(first.url, { ...from('203.0.113.50'), origin })).toBe(101)
    expect(await upgrade(first.url, from('203.0.113.50'))).toBe(101)
    expect(first.output()).toContain('CORS_ORIGINS does not name its origin')
  })

  it('of a listed origin or pattern is let in, and may read the answers', async () => {
    const listed = await deployment.addGateway({
      CORS_ORIGINS: 'https://*.example.org,null',
      MAX_CONNECTIONS: '3',
      CONNECTIONS_PER_ADDRESS: '0',
      CONNECT_RATE_PER_ADDRESS: '1',
      AFFINITY_COOKIE: 'roomcast; Path=/',
      POD_NAME: 'listed',
    })
    for (const origin of ['https://chat.example.org', 'null']) {
      const [status, , headers] = await handshake(listed.url, { ...from('203.0.113.60'), origin })
      expect(status).toBe(200)
      expect(headers.get('access-control-allow-origin')).toBe(origin)
    }
    const [status, , headers] = await handshake(listed.url, { origin: 'https://example.org' })
    expect([status, headers.get('access-control-allow-origin')]).toEqual([403, null])

    // One more, and it has as many connections as it takes.
    const last = await keep(connectClient(listed.url, by('203.0.113.61')))
    const [full, problem, told] = await handshake(listed.url, from('203.0.113.62'))
    expect([full, problem.code, told.get('retry-after')]).toEqual([503, 'busy', '1'])
    expect(told.get('set-cookie')).toBe('roomcast=; Max-Age=0; Path=/')
    expect(await upgrade(listed.url, from('203.0.113.62'))).toBe(503)
    expect(await refused(listed, 'full')).toBe(2)
    // A stock client comes back by itself, and is in when there is room.
    const waiting = connectClient(listed.url, by('203.0.113.62'))
    last.close()
    clients.push(await waiting)

    // Ten new connections at once from one address, then one a second.
    ;(await waiting).close()
    await until('room', async () => (await upgrade(listed.url, from('203.0.113.63'))) === 101)
    const statuses: number[] = []
    for (let i = 0; i < 40; i++) statuses.push(await upgrade(listed.url, from('203.0.113.64')))
    expect(statuses).toContain(429)
    expect(statuses.filter((code) => code === 101).length).toBeGreaterThanOrEqual(5)
    expect(await refused(listed, 'address_handshakes')).toBeGreaterThan(0)
  })
})

it('a storm is let in at the pace that the gateway takes: some wait, some come back, all are in', async () => {
  const paced = await deployment.addGateway({
    CONNECT_RATE_PER_SECOND: String(STORM_RATE),
    CONNECT_WAIT_MS: '1000',
    CONNECTIONS_PER_ADDRESS: '0',
    POD_NAME: 'paced',
  })
  const startedAt = performance.now()
  const storm = await Promise.all(
    Array.from({ length: STORM }, async () => {
      const client = await connectClient(paced.url, {
        reconnectionDelay: 500,
        reconnectionDelayMax: 1_000,
      })
      return { client, afterMs: performance.now() - startedAt }
    }),
  )
  for (const { client } of storm) clients.push(client)
  const last = Math.max(...storm.map(({ afterMs }) => afterMs))
  expect(last).toBeGreaterThan(((STORM - 2 * STORM_RATE) / STORM_RATE) * 1_000)
  expect(await refused(paced, 'handshakes')).toBeGreaterThan(0)
}, 40_000)

describe('requests to an HTTP API', () => {
  it('are limited by address, and those with a key by key; guesses of keys and what does not exist count', async () => {
    const [broker] = deployment.brokers
    const [presence] = deployment.presences
    if (broker === undefined || presence === undefined)
      throw new Error('a deployment without services')
    for (const [service, path] of [
      [broker, '/v1/rooms/none/messages'],
      [presence, '/v1/stats'],
    ] as const) {
      const ask = (headers: Record<string, string>, to: string = path): Promise<Response> =>
        fetch(service.url + to, { headers })
      const answers = await Promise.all([
        ...Array.from({ length: 80 }, () => ask(from('203.0.113.70'))),
        ...Array.from({ length: 80 }, () =>
          ask({ ...from('203.0.113.70'), authorization: 'Bearer wrong' }, '/v1/none'),
        ),
      ])
      const limited = answers.filter(({ status }) => status === 429)
      expect(limited.length).toBeGreaterThan(0)
      expect(limited[0]?.headers.get('retry-after')).toBe('1')
      expect(await limited[0]?.json()).toMatchObject({ code: 'rate_limited', status: 429 })
      const others = [
        from('203.0.113.71'),
        { ...from('203.0.113.70'), authorization: `Bearer ${KEY}` },
      ]
      for (const headers of others) expect((await ask(headers)).status).toBe(200)
      expect(await refused(service, 'rate_limited')).toBe(limited.length)
    }
  })
})
