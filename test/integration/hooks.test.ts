import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { connectClient, joinRoom, says, type TestClient } from '../support/clients.ts'
import { getJson, startDeployment, type Deployment } from '../support/deployment.ts'
import { startHookBackend, type Asked, type HookBackend } from '../support/hook-backend.ts'
import { until } from '../support/processes.ts'
import { startProxy } from '../support/proxy.ts'

const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

let backend: HookBackend
let deployment: Deployment
const clients: TestClient[] = []
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  clients.push(await client)
  return client
}
let rooms = 0
let room: string
/** The gateway whose policy is to deny, and the one whose policy is to allow. */
const [DENIES, ALLOWS] = [0, 1] as const
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''

const allow = (asked: Asked): void => asked.answer({ allow: true })
/** Decides about one event; the other is allowed. */
const about = (event: 'join' | 'say', decision: (asked: Asked) => void): void =>
  backend.decide((asked) => (asked.body['event'] === event ? decision : allow)(asked))

beforeAll(async () => {
  backend = await startHookBackend()
  deployment = await startDeployment({
    gateways: 1,
    env: {
      HOOK_JOIN_URL: `${backend.url}/join`,
      HOOK_SAY_URL: `${backend.url}/say`,
      HOOK_SECRET: SECRET,
      QUIT_GRACE_MS: '60000',
    },
  })
  await deployment.addGateway({ HOOK_FAILURE_POLICY: 'allow' })
}, 60_000)
beforeEach(() => {
  room = `hooked-${++rooms}`
  backend.decide(allow)
})
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
  await backend[Symbol.asyncDispose]()
})

describe('a join that is asked about', () => {
  it('is told who, where and from where', async () => {
    await keep(joinRoom(gateway(DENIES), room, 'alice'))
    expect(backend.asked.at(-1)?.body).toEqual({
      event: 'join',
      id: expect.any(String),
      gateway: 'gateway-1',
      room,
      user: 'alice',
      name: 'alice',
      address: '127.0.0.1',
    })
  })

  it('is refused for the reason that the backend gives, and the connection stays', async () => {
    about('join', (asked) => asked.answer({ allow: false, reason: 'members of the team alone' }))
    const client = await keep(connectClient(gateway(DENIES), { room }))
    expect(await client.ask('join', { username: 'alice' })).toEqual({
      ok: false,
      code: 'forbidden',
      message: 'members of the team alone',
    })
    backend.decide(allow)
    expect(await client.ask('join', { username: 'alice' })).toMatchObject({ ok: true })
  })

  it('may get another name, under which the same join again is answered the same', async () => {
    about('join', (asked) => asked.answer({ allow: true, rewrite: { name: ' Alice (staff) ' } }))
    const client = await keep(connectClient(gateway(DENIES), { room }))
    for (let i = 0; i < 2; i++) {
      expect(await client.ask('join', { username: 'alice' })).toMatchObject({
        ok: true,
        username: 'Alice (staff)',
      })
    }
    expect(await client.ask('join', { username: 'bob' })).toMatchObject({ code: 'already_joined' })
    await client.ask('say', { text: 'hi' })
    const { message } = await client.got('it', says('hi'))
    expect(message.data).toEqual({ username: 'Alice (staff)', text: 'hi' })
  })

  it('holds for one who comes back: he gets nothing of what he missed, and is told why', async () => {
    const witness = await keep(joinRoom(gateway(DENIES), room, 'witness'))
    await using way = await startProxy(gateway(DENIES))
    const alice = await keep(joinRoom(way.url, room, 'alice'))
    await witness.got('alice', ({ event }) => event === 'join')
    about('join', (asked) => {
      if (asked.body['recovered'] === true) asked.answer({ allow: false, reason: 'you are banned' })
      else allow(asked)
    })
    way.cut()
    await witness.ask('say', { text: 'meanwhile' })
    const { message } = await alice.got('the refusal', ({ event }) => event === 'error')
    expect(message).toMatchObject({ room, data: { code: 'forbidden', message: 'you are banned' } })
    expect(alice.texts()).toEqual([])
    expect(await alice.ask('say', { text: 'let me in' })).toMatchObject({ code: 'not_joined' })
    // At once, and not after the grace: he does not come back.
    await witness.got('his quit', ({ event }) => event === 'broadcast_quit')
  })
})

describe('a message that is asked about', () => {
  it('is refused for a reason, rewritten, or published as it is', async () => {
    const alice = await keep(joinRoom(gateway(DENIES), room, 'alice'))
    about('say', (asked) => {
      if (asked.body['text'] === 'spam') asked.answer({ allow: false, reason: 'no spam' })
      else if (asked.body['text'] === 'darn')
        asked.answer({ allow: true, rewrite: { text: 'd***', type: 7, data: { masked: true } } })
      else allow(asked)
    })
    expect(await alice.ask('say', { text: 'spam' })).toEqual({
      ok: false,
      code: 'forbidden',
      message: 'no spam',
    })
    expect(await alice.ask('say', { text: 'darn', id: 'm1' })).toMatchObject({ ok: true, id: 'm1' })
    expect(await alice.ask('say', { text: 'fine', data: [1] })).toMatchObject({ ok: true })
    await alice.got('the last one', says('fine'))
    expect(
      alice.received.flatMap(({ message }) =>
        message.event === 'broadcast_say' ? [message.data] : [],
      ),
    ).toEqual([
      { username: 'alice', text: 'd***', type: 7, data: { masked: true } },
      { username: 'alice', text: 'fine', data: [1] },
    ])
    expect(backend.asked.at(-1)?.body).toMatchObject({
      event: 'say',
      room,
      user: 'alice',
      name: 'alice',
      text: 'fine',
      data: [1],
    })
  })

  it('keeps its place, in whatever order the answers come', async () => {
    const alice = await keep(joinRoom(gateway(DENIES), room, 'alice'))
    const held: Asked[] = []
    about('say', (asked) => void held.push(asked))
    const texts = Array.from({ length: 20 }, (_, i) => `${i}`)
    const acks = texts.map((text) => alice.ask('say', { text }))
    await until('all of them', () => held.length === texts.length)
    for (const asked of held.toSorted(() => Math.random() - 0.5)) allow(asked)
    for (const ack of await Promise.all(acks)) expect(ack.ok).toBe(true)
    await until('all of them', () => alice.texts().length === texts.length)
    expect(alice.texts()).toEqual(texts)
  })

  it('of one who left meanwhile is not published', async () => {
    const alice = await keep(joinRoom(gateway(DENIES), room, 'alice'))
    const held: Asked[] = []
    about('say', (asked) => void held.push(asked))
    const ack = alice.ask('say', { text: 'wait' })
    await until('the question', () => held.length === 1)
    await alice.ask('leave')
    held.forEach(allow)
    expect(await ack).toMatchObject({ ok: false, code: 'not_joined' })
  })

  it('published by the HTTP API is nobody’s to ask about', async () => {
    const before = backend.asked.length
    const url = `${deployment.brokers[0]?.url}/v1/rooms/${room}/messages`
    const published = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'backend', text: 'trusted' }),
    })
    expect(published.status).toBe(201)
    expect(await getJson(url)).toMatchObject({ messages: [{ data: { text: 'trusted' } }] })
    expect(backend.asked).toHaveLength(before)
  })
})

describe('without an answer that can be used', () => {
  it('the policy to deny refuses for now, and the one to allow lets through', async () => {
    const careful = await keep(joinRoom(gateway(DENIES), room, 'alice'))
    const free = await keep(joinRoom(gateway(ALLOWS), room, 'bob'))
    about('say', (asked) => asked.answer({ allow: 'perhaps' }))
    expect(await careful.ask('say', { text: 'a' })).toEqual({
      ok: false,
      code: 'unavailable',
      message: 'whether this is allowed can not be asked right now',
      retryAfterMs: 1_000,
    })
    expect(await free.ask('say', { text: 'b' })).toMatchObject({ ok: true })
    const metrics = await (await fetch(`${deployment.gateways[0]?.metricsUrl}/metrics`)).text()
    expect(metrics).toMatch(
      /^roomcast_gateway_hook_requests_total\{[^}]*hook="say"[^}]*result="invalid"[^}]*\} 1$/m,
    )
    expect(metrics).toMatch(/^roomcast_gateway_hook_duration_seconds_count\{[^}]*hook="join"/m)
  })
})
