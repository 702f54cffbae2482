import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Message } from '@roomcast/protocol'
import { connectClient, joinRoom, says, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'

let deployment: Deployment
let toRedis: Proxy
/** The gateway that can be cut off from Redis; the first two can not. */
let cuttable: string
const clients: TestClient[] = []
const proxies: Proxy[] = []
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  clients.push(await client)
  return client
}
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''

beforeAll(async () => {
  deployment = await startDeployment({ gateways: 2, env: { QUIT_GRACE_MS: '500' } })
  toRedis = await startProxy(deployment.redis.url)
  const added = await deployment.addGateway({
    REDIS_URL: toRedis.url.replace('http', 'redis'),
  })
  cuttable = added.url
}, 60_000)
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  for (const proxy of proxies.splice(0)) await proxy[Symbol.asyncDispose]()
})
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
  await toRedis[Symbol.asyncDispose]()
})

async function call(method: string, path: string, body?: object): Promise<Response> {
  return fetch(`${deployment.brokers[0]?.url}/v1/${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
}
const is =
  (event: string, data: object = {}) =>
  (message: Message): boolean =>
    message.event === event &&
    Object.entries(data).every(
      ([name, value]) => (message.data as Record<string, unknown>)[name] === value,
    )
const eventsOf = (client: TestClient): string[] =>
  client.received.map(({ message }) => message.event)
/** A way to a gateway that can be cut and led elsewhere. */
async function wayTo(url: string): Promise<Proxy> {
  const proxy = await startProxy(url)
  proxies.push(proxy)
  return proxy
}

describe('a kick', () => {
  it('takes every socket of the user out of the room, on every gateway, tells all, and lets him come again', async () => {
    const room = 'kick'
    const bob = await keep(joinRoom(gateway(0), room, 'bob'))
    const here = await keep(joinRoom(gateway(0), room, 'mallory'))
    const there = await keep(joinRoom(gateway(1), 'elsewhere', 'x', { namespace: room }))
    await there.ask('leave')
    await there.ask('join', { username: 'mallory' })
    expect(
      (await call('POST', `rooms/${room}/kick`, { user: 'mallory', reason: 'spam' })).status,
    ).toBe(200)
    await bob.got('the kick', is('kicked', { user: 'mallory', reason: 'spam' }))
    await bob.got('his quit', is('broadcast_quit', { username: 'mallory' }))
    for (const client of [here, there]) {
      const { message, offset } = await client.got('the word', is('error', { code: 'kicked' }))
      expect(message.data).toMatchObject({ message: 'you were removed from this room: spam' })
      expect(offset).toBeUndefined()
      await bob.ask('say', { text: 'after' })
      expect(await client.ask('say', { text: 'still me?' })).toMatchObject({ code: 'not_joined' })
      expect(eventsOf(client)).not.toContain('kicked')
      expect(client.texts()).not.toContain('after')
      expect(await client.ask('join', { username: 'mallory' })).toMatchObject({ ok: true })
    }
    for (const { message, offset } of bob.received)
      expect([message.event, typeof offset]).toEqual([
        message.event,
        ['count', 'error'].includes(message.event) ? 'undefined' : 'string',
      ])
  })

  it('ends the session of who is away, and his gateway with it: he comes back as a new one', async () => {
    const room = 'kick away'
    const bob = await keep(joinRoom(gateway(0), room, 'bob'))
    const way = await wayTo(gateway(1))
    const mallory = await keep(joinRoom(way.url, room, 'mallory'))
    await mallory.got('his own join', is('join', { username: 'mallory' }))
    way.silence()
    way.cut()
    await call('POST', `rooms/${encodeURIComponent(room)}/kick`, { user: 'mallory' })
    // Clearing takes the notice of the kick out of the log: it holds without it.
    await call('DELETE', `rooms/${encodeURIComponent(room)}`)
    await bob.got('the clearing', is('cleared'))
    way.retarget(gateway(0))
    way.heal()
    await until('a new connection', () => mallory.socket.connected)
    expect(mallory.socket.recovered).toBe(false)
    expect(await mallory.ask('say', { text: 'x' })).toMatchObject({ code: 'not_joined' })
  })
})

describe('a ban', () => {
  it('holds after a reconnect, a recovery and the end of a gateway, until it is lifted', async () => {
    const room = 'ban'
    const bans = `rooms/${room}/bans`
    const spare = await deployment.addGateway()
    const bob = await keep(joinRoom(gateway(0), room, 'bob'))
    const present = await keep(joinRoom(gateway(1), room, 'mallory'))
    const way = await wayTo(spare.url)
    const away = await keep(joinRoom(way.url, room, 'mallory'))
    await away.got('his own join', is('join', { username: 'mallory' }))
    way.retarget(gateway(0))
    await spare[Symbol.asyncDispose]()
    // Its session is there to be recovered, and the gateway that knew it is not.
    expect((await call('POST', bans, { user: 'mallory', reason: 'spam' })).status).toBe(201)
    await present.got('the word', is('error', { code: 'banned' }))
    await bob.got('the ban', is('banned', { user: 'mallory' }))
    await until('a new connection', () => away.socket.connected)
    expect(away.socket.recovered).toBe(false)
    const refusal = { ok: false, code: 'banned', message: 'you are banned from this room: spam' }
    const fresh = await keep(connectClient(gateway(1), { room }))
    for (const client of [away, present, fresh])
      expect(await client.ask('join', { username: 'mallory' })).toEqual(refusal)
    expect(await (await call('GET', bans)).json()).toMatchObject({ bans: [{ user: 'mallory' }] })
    expect((await call('DELETE', `${bans}/mallory`)).status).toBe(204)
    expect(await fresh.ask('join', { username: 'mallory' })).toMatchObject({ ok: true })
  })

  it('that has an end is over then, and whoever joins in its very moment is in or out, but never in for long', async () => {
    const room = 'race'
    const bob = await keep(joinRoom(gateway(0), room, 'bob'))
    const racers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => keep(connectClient(gateway(i % 2), { room }))),
    )
    const joins = racers.map((client) => client.ask('join', { username: 'mallory' }))
    await call('POST', `rooms/${room}/bans`, { user: 'mallory', durationMs: 1_500 })
    const answers = await Promise.all(joins)
    await bob.got('the ban', is('banned'))
    for (const [i, client] of racers.entries()) {
      if (answers[i]?.ok === true) await client.got('the word', is('error', { code: 'banned' }))
      expect(await client.ask('say', { text: 'x' })).toMatchObject({ code: 'not_joined' })
    }
    await until('the end of the ban', async () => {
      const answer = await racers[0]?.ask('join', { username: 'mallory' })
      return answer?.ok
    })
  })
})

describe('a deleted message', () => {
  it('leaves history, replays and streams, and those who had it are told', async () => {
    const room = 'delete'
    const bob = await keep(joinRoom(gateway(0), room, 'bob'))
    const way = await wayTo(gateway(1))
    const alice = await keep(joinRoom(way.url, room, 'alice'))
    const offsets: string[] = []
    const say = async (text: string): Promise<void> => {
      const answer = await bob.ask<{ offset: string }>('say', { text, id: text })
      offsets.push(answer.offset)
    }
    await say('seen')
    await alice.got('what she has', says('seen'))
    way.silence()
    way.cut()
    for (let i = 0; i < 40; i++) await say(`missed ${i}`)
    await call('DELETE', `rooms/${room}/messages/${offsets[0]}`)
    await call('DELETE', `rooms/${room}/messages/${encodeURIComponent('missed 7')}`)
    way.retarget(gateway(0))
    way.heal()
    // While she is given what she missed, more of it goes.
    const racing = [20, 21, 22].map((i) =>
      call('DELETE', `rooms/${room}/messages/${encodeURIComponent(`missed ${i}`)}`),
    )
    for (const { status } of await Promise.all(racing)) expect(status).toBe(200)
    for (const id of ['seen', 'missed 7', 'missed 20', 'missed 21', 'missed 22'])
      await alice.got(`the end of ${id}`, is('deleted', { id }))
    expect(alice.socket.recovered).toBe(true)
    await say('last')
    await alice.got('the last', says('last'))
    // What is on her screen by now.
    const shown = new Map<string, string>()
    for (const { message, offset = '' } of alice.received) {
      if (message.event === 'broadcast_say') shown.set(offset, message.data.text)
      if (message.event === 'deleted') shown.delete(message.data.offset)
    }
    const left = Array.from({ length: 40 }, (_, i) => i).filter((i) => ![7, 20, 21, 22].includes(i))
    expect([...shown.values()]).toEqual([...left.map((i) => `missed ${i}`), 'last'])
    expect(alice.texts()).not.toContain('missed 7')
    const page = await alice.ask<{ complete: boolean; messages: Message[] }>('history', {
      limit: 200,
    })
    const texts = page.messages.flatMap((m) => (m.event === 'broadcast_say' ? [m.data.text] : []))
    expect(texts).toEqual([...shown.values()])
    expect(page.complete).toBe(true)
    // The sender's own retry is the message that it was.
    expect(await bob.ask('say', { text: 'missed 7', id: 'missed 7' })).toMatchObject({
      offset: offsets[8],
    })
  })
})

describe('while a gateway is cut off from Redis', () => {
  it('kicks, deletions and the end of a user wait for it, and come in full when it is back', async () => {
    const room = 'cut off'
    const path = `rooms/${encodeURIComponent(room)}`
    const bob = await keep(joinRoom(gateway(0), room, 'bob'))
    const alice = await keep(joinRoom(cuttable, room, 'alice'))
    const mallory = await keep(joinRoom(cuttable, room, 'mallory'))
    const trudy = await keep(joinRoom(cuttable, room, 'trudy'))
    await bob.ask('say', { text: 'bad', id: 'bad' })
    await alice.got('what is bad', says('bad'))
    toRedis.silence()
    toRedis.cut()
    await bob.ask('say', { text: 'not for mallory' })
    await call('POST', `${path}/kick`, { user: 'mallory' })
    await call('DELETE', `${path}/messages/bad`)
    expect((await call('POST', 'users/trudy/disconnect', { reason: 'gone' })).status).toBe(200)
    await bob.ask('say', { text: 'after it all' })
    expect(mallory.socket.connected && trudy.socket.connected).toBe(true)
    toRedis.heal()
    await mallory.got('the word', is('error', { code: 'kicked' }))
    await trudy.got('the word', is('error', { code: 'revoked' }))
    await until('the end of her connection', () => !trudy.socket.connected)
    await alice.got('the deletion', is('deleted', { id: 'bad' }))
    await alice.got('what was said after it', says('after it all'))
    expect(mallory.texts()).not.toContain('after it all')
    // Told to stay away, her client does.
    expect(trudy.socket.active).toBe(false)
    await bob.got('her quit', is('broadcast_quit', { username: 'trudy' }))
  })
})

describe('the end of a user', () => {
  it('ends all his connections with all their rooms, and no session of them is recovered', async () => {
    const bob = await keep(joinRoom(gateway(1), 'end', 'bob'))
    const one = await keep(joinRoom(gateway(0), 'end', 'eve', { namespace: 'end' }))
    const two = await keep(joinRoom(gateway(1), 'other', 'eve'))
    const name = { username: 'eve' }
    await bob.got('her join', is('join', name))
    const asked = performance.now()
    await call('POST', 'users/eve/disconnect')
    for (const client of [one, two]) await client.got('the word', is('error', { code: 'revoked' }))
    expect(performance.now() - asked).toBeLessThan(5_000)
    await until('their ends', () => !one.socket.connected && !two.socket.connected)
    await bob.got('her quit', is('broadcast_quit', name))
    two.socket.connect()
    await until('a new connection', () => two.socket.connected)
    expect(two.socket.recovered).toBe(false)
    // In open mode a name is a claim, and anybody's.
    expect(await two.ask('join', name)).toMatchObject({ ok: true })
    const metrics = await Promise.all(
      deployment.gateways
        .slice(0, 2)
        .map(async ({ metricsUrl }) => (await fetch(`${metricsUrl}/metrics`)).text()),
    )
    expect(metrics.join('')).toMatch(
      /roomcast_gateway_closed_total\{[^}]*reason="revoked"[^}]*\} 1/,
    )
  })
})
