import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Message } from '@roomcast/protocol'
import { io } from 'socket.io-client'
import {
  connectClient,
  joinRoom,
  says,
  type ClientOptions,
  type TestClient,
} from '../support/clients.ts'
import { getJson, isReady, startDeployment, type Deployment } from '../support/deployment.ts'
import { newKey, startKeyServer, type IssuerKey, type KeyServer } from '../support/jwks.ts'
import { until } from '../support/processes.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'

const SKEW_MS = 1_000

let key: IssuerKey
let keyServer: KeyServer
let deployment: Deployment
const toClose: { close(): void }[] = []
const proxies: Proxy[] = []
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  toClose.push(await client)
  return client
}

beforeAll(async () => {
  key = await newKey('k1')
  keyServer = await startKeyServer(key)
  deployment = await startDeployment({
    gateways: 2,
    env: {
      AUTH_JWKS_URL: keyServer.url,
      AUTH_AUDIENCE: 'chat',
      AUTH_CLOCK_SKEW_MS: String(SKEW_MS),
      AUTH_JWKS_COOLDOWN_MS: '300',
      AUTH_TOKEN_IN_QUERY: 'true',
      QUIT_GRACE_MS: '1500',
      LOG_LEVEL: 'debug',
    },
  })
}, 60_000)
afterEach(async () => {
  for (const client of toClose.splice(0)) client.close()
  for (const proxy of proxies.splice(0)) await proxy[Symbol.asyncDispose]()
})
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
  await keyServer[Symbol.asyncDispose]()
})

const nowS = (): number => Math.floor(Date.now() / 1_000)
const tokenOf = (sub: string, claims: Record<string, unknown> = {}): Promise<string> =>
  key.sign({ sub, aud: 'chat', exp: nowS() + 600, ...claims })
const as = async (sub: string, claims: Record<string, unknown> = {}): Promise<ClientOptions> => ({
  auth: { token: await tokenOf(sub, claims) },
})
const READER = { rooms: [{ pattern: '*', read: true, write: false }] }

/** What a client is told that is refused at CONNECT. */
async function refusalOf({ room, namespace, ...options }: ClientOptions): Promise<unknown> {
  const path = namespace === undefined ? '' : `/rooms/${encodeURIComponent(namespace)}`
  const socket = io(gateway(0) + path, {
    transports: ['websocket'],
    forceNew: true,
    ...(room === undefined ? {} : { query: { roomid: room } }),
    ...options,
  })
  let refusal: unknown
  socket.on('connect_error', (error: Error & { data?: { code: string } }) => {
    refusal = error.data?.code ?? error.message
  })
  const found = await until('a refusal', () => refusal)
  // For stock clients it is final.
  expect(socket.active).toBe(false)
  socket.disconnect()
  return found
}

async function metric(pattern: RegExp): Promise<number> {
  const found = await Promise.all(
    deployment.gateways.map(async ({ metricsUrl }) => {
      const text = await (await fetch(`${metricsUrl}/metrics`)).text()
      return Number(pattern.exec(text)?.[1] ?? 0)
    }),
  )
  return found.reduce((sum, n) => sum + n, 0)
}

const isError = (code: string) => (message: Message) =>
  message.event === 'error' && message.data.code === code

describe('a client', () => {
  it('without a good token gets in nowhere, and is told why for good', async () => {
    expect(await refusalOf({ room: 'a' })).toBe('unauthorized')
    expect(await refusalOf({ namespace: 'a' })).toBe('unauthorized')
    expect(await refusalOf({ room: 'a', auth: { token: 'x.y.z' } })).toBe('unauthorized')
    expect(await refusalOf({ room: 'a', ...(await as('u', { aud: 'mail' })) })).toBe('unauthorized')
    expect(await refusalOf({ room: 'a', ...(await as('u', { exp: nowS() - 60 })) })).toBe(
      'unauthorized',
    )
    expect(await metric(/gateway_auth_total\{.*result="missing".*\} (\d+)/)).toBeGreaterThan(1)
    expect(await metric(/gateway_auth_total\{.*result="expired".*\} (\d+)/)).toBeGreaterThan(0)
  })

  it('gets into the rooms of its token alone, by either way', async () => {
    const rooms = { rooms: [{ pattern: 'team-*', read: true, write: true }] }
    expect(await refusalOf({ room: 'lobby', ...(await as('u', rooms)) })).toBe('forbidden')
    expect(await refusalOf({ namespace: 'lobby', ...(await as('u', rooms)) })).toBe('forbidden')
    const alice = await keep(joinRoom(gateway(0), 'team-1', 'alice', await as('u', rooms)))
    const bob = await keep(
      joinRoom(gateway(1), 'team-1', 'bob', { namespace: 'team-1', ...(await as('v', rooms)) }),
    )
    expect(await bob.ask('say', { text: 'hello' })).toMatchObject({ ok: true })
    await alice.got('it', says('hello'))
  })

  it('has the name of its token, and its user is told to all', async () => {
    const room = 'names'
    const alice = await keep(
      connectClient(gateway(0), { room, ...(await as('u1', { name: 'alice' })) }),
    )
    expect(await alice.ask('join', { username: 'bob' })).toMatchObject({ code: 'forbidden' })
    expect(await alice.ask('join')).toMatchObject({ ok: true, username: 'alice', user: 'u1' })
    // Another user who is called the same, and sends under the same id.
    const other = await keep(joinRoom(gateway(1), room, 'alice', await as('u2')))
    expect(await alice.ask('say', { text: 'from one', id: 'm1' })).toMatchObject({ ok: true })
    expect(await other.ask('say', { text: 'from two', id: 'm1' })).toMatchObject({ ok: true })
    const { message } = await other.got('it', says('from one'))
    expect(message.data).toMatchObject({ username: 'alice', user: 'u1' })
    const again = await alice.got('the other', says('from two'))
    expect(again.message.data).toMatchObject({ username: 'alice', user: 'u2' })
    const members = await until('both members', async () => {
      const url = `${deployment.presences[0]?.url}/v1/rooms/${room}/members`
      const view = await getJson<{ users: number; members: object[] }>(url)
      return view.members.length === 2 && view
    })
    expect(members).toMatchObject({ online: 2, users: 2 })
    expect(members.members).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'alice', user: 'u1', connections: 1 }),
        expect.objectContaining({ name: 'alice', user: 'u2', connections: 1 }),
      ]),
    )
    other.socket.disconnect()
    const quit = await alice.got('the quit', ({ event }) => event === 'broadcast_quit')
    expect(quit.message.data).toEqual({ username: 'alice', user: 'u2' })
  })

  it('whose token reads alone is a member who can not say', async () => {
    const room = 'read'
    const bob = await keep(joinRoom(gateway(1), room, 'bob', await as('v')))
    const alice = await keep(connectClient(gateway(0), { room, ...(await as('u', READER)) }))
    expect(await alice.ask('join', { username: 'alice' })).toMatchObject({ readOnly: true })
    expect(await alice.ask('say', { text: 'x' })).toMatchObject({ ok: false, code: 'forbidden' })
    await bob.ask('say', { text: 'to readers' })
    await alice.got('it', says('to readers'))
    expect(await alice.ask('history', {})).toMatchObject({ ok: true })
    // With a new token of the same user she may, at once.
    const token = await tokenOf('u')
    expect(await alice.ask('refresh', { token })).toMatchObject({ ok: true })
    expect(await alice.ask('say', { text: 'now' })).toMatchObject({ ok: true })
  })

  it('of version 2 sends its token by query, where that is allowed', async () => {
    const token = await tokenOf('u')
    const old = await keep(
      connectClient(gateway(0), { generation: 2, query: { roomid: 'old', token } }),
    )
    expect(await old.ask('join', { username: 'alice' })).toMatchObject({ ok: true, user: 'u' })
  })
})

describe('when a token ends', () => {
  it('the client is told, and comes back as itself with a new one', async () => {
    const room = 'ends'
    const bob = await keep(joinRoom(gateway(1), room, 'bob', await as('v')))
    let exp = nowS() + 1
    const alice = await keep(
      joinRoom(gateway(0), room, 'alice', {
        auth: (give) => void tokenOf('u', { exp }).then((token) => give({ token })),
      }),
    )
    const { id } = alice.socket
    exp = nowS() + 600
    await alice.got('that it ended', isError('token_expired'))
    await bob.ask('say', { text: 'meanwhile' })
    await alice.got('what she missed', says('meanwhile'))
    await until('the same socket', () => alice.socket.connected && alice.socket.id === id)
    expect(alice.socket.recovered).toBe(true)
    expect(await metric(/gateway_closed_total\{.*reason="token_expired".*\} (\d+)/)).toBe(1)
  })

  it('a client that has no new one is refused for good, and does not try again', async () => {
    const alice = await keep(
      joinRoom(gateway(0), 'stays out', 'alice', await as('u', { exp: nowS() + 1 })),
    )
    const refusals: unknown[] = []
    alice.socket.on('connect_error', (error: Error & { data?: { code: string } }) =>
      refusals.push(error.data?.code),
    )
    await until('a refusal', () => refusals.length > 0)
    expect(refusals).toEqual(['unauthorized'])
    expect(alice.socket.active).toBe(false)
  })

  it('a refreshed one goes on, whose new token has to be good and of the same user', async () => {
    const room = 'refreshed'
    const alice = await keep(
      joinRoom(gateway(0), room, 'alice', await as('u', { exp: nowS() + 2 })),
    )
    let closed = 0
    alice.socket.on('disconnect', () => closed++)
    expect(await alice.ask('refresh', { token: await tokenOf('other') })).toMatchObject({
      code: 'forbidden',
    })
    expect(await alice.ask('refresh', { token: 'x' })).toMatchObject({ code: 'unauthorized' })
    expect(await alice.ask('refresh', {})).toMatchObject({ code: 'invalid' })
    const exp = nowS() + 600
    expect(await alice.ask('refresh', { token: await tokenOf('u', { exp }) })).toEqual({
      ok: true,
      expiresAt: exp * 1_000,
    })
    // Others whose token ends after hers are gone by then.
    const bob = await keep(joinRoom(gateway(0), room, 'bob', await as('v', { exp: nowS() + 3 })))
    await bob.got('that it ended', isError('token_expired'))
    expect(closed).toBe(0)
    // A token that is not for the room ends the membership.
    const rooms = [{ pattern: 'elsewhere', read: true, write: true }]
    expect(await alice.ask('refresh', { token: await tokenOf('u', { rooms }) })).toMatchObject({
      ok: true,
    })
    await alice.got('that she has left', isError('forbidden'))
    expect(await alice.ask('say', { text: 'x' })).toMatchObject({ code: 'not_joined' })
    expect(await alice.ask('join', { username: 'alice' })).toMatchObject({ code: 'forbidden' })
  })
})

describe('a session', () => {
  /** A client whose connection is cut while others speak, with the token that it comes back with. */
  async function cutOff(
    room: string,
    next: () => Promise<string>,
    { kill = false, user = 'u' }: { kill?: boolean; user?: string } = {},
  ) {
    const bob = await keep(joinRoom(gateway(1), room, 'bob', await as('v')))
    const way = await startProxy(gateway(0))
    proxies.push(way)
    let token: () => Promise<string> = () => tokenOf(user)
    const alice = await keep(
      joinRoom(way.url, room, 'alice', {
        auth: (give) => void token().then((made) => give({ token: made })),
      }),
    )
    await bob.ask('say', { text: 'before' })
    await alice.got('it', says('before'))
    const { id } = alice.socket
    token = next
    const refusals: unknown[] = []
    alice.socket.on('connect_error', (error: Error & { data?: { code: string } }) => {
      if (error.data !== undefined) refusals.push(error.data.code)
    })
    way.retarget(gateway(1))
    if (kill) deployment.gateways[0]?.signal('SIGKILL')
    else way.cut()
    await until('the cut', () => !alice.socket.connected)
    await bob.ask('say', { text: 'a secret' })
    return { alice, bob, id, refusals }
  }

  it('is not for another user, who gets one of his own and nothing of what was missed', async () => {
    const { alice, bob, id } = await cutOff('stolen', () => tokenOf('mallory'))
    await until('a connection', () => alice.socket.connected)
    expect(alice.socket.recovered).toBe(false)
    expect(alice.socket.id).not.toBe(id)
    expect(await alice.ask('say', { text: 'x' })).toMatchObject({ ok: false })
    expect(alice.texts()).toEqual(['before'])
    // The owner's session was left alone: it ended as that of somebody who did not come back.
    const quit = await bob.got('the quit', ({ event }) => event === 'broadcast_quit')
    expect(quit.message.data).toEqual({ username: 'alice', user: 'u' })
  })

  it('is not for one whose token is not for the room any more', async () => {
    const rooms = [{ pattern: 'other', read: true, write: true }]
    const { alice, refusals } = await cutOff('left out', () => tokenOf('u', { rooms }))
    await until('a refusal', () => refusals.length > 0)
    expect(refusals).toEqual(['forbidden'])
    expect(alice.texts()).toEqual(['before'])
  })

  it('is not for a token of before its user was ended by a moderator, and later ones get in', async () => {
    const end = async (): Promise<string> => {
      const url = `${deployment.brokers[0]?.url}/v1/users/eve/disconnect`
      expect((await fetch(url, { method: 'POST' })).ok).toBe(true)
      return tokenOf('eve', { iat: nowS() - 60 })
    }
    const { alice, bob, refusals } = await cutOff('ended', end, { user: 'eve' })
    await until('a refusal', () => refusals.length > 0)
    expect(refusals).toEqual(['revoked'])
    expect(alice.texts()).toEqual(['before'])
    const quit = await bob.got('the quit', ({ event }) => event === 'broadcast_quit')
    expect(quit.message.data).toEqual({ username: 'alice', user: 'eve' })
    const late = await keep(
      joinRoom(gateway(1), 'ended', 'alice', await as('eve', { iat: nowS() + 2 })),
    )
    const old = await tokenOf('eve', { iat: nowS() - 60 })
    expect(await late.ask('refresh', { token: old })).toMatchObject({ code: 'revoked' })
  })

  it('is not for a bad token, also after its gateway was killed, and then for a good one', async () => {
    const { alice, id, refusals } = await cutOff('killed', () => Promise.resolve('x.y.z'), {
      kill: true,
    })
    await until('a refusal', () => refusals.length > 0)
    expect(refusals).toEqual(['unauthorized'])
    expect(alice.texts()).toEqual(['before'])
    alice.socket.auth = await as('u').then(({ auth }) => auth ?? {})
    alice.socket.connect()
    await alice.got('what she missed', says('a secret'))
    expect(alice.socket.recovered).toBe(true)
    expect(alice.socket.id).toBe(id)
    const [killed] = deployment.gateways
    if (killed !== undefined) await isReady(await deployment.restart(killed))
  }, 60_000)
})

it('while the key of a token can not be asked for its client is sent away for now, and gets in later', async () => {
  const fresh = await newKey('k2')
  keyServer.answer(503)
  const token = await fresh.sign({ sub: 'u', aud: 'chat', exp: nowS() + 600 })
  const socket = io(gateway(0), {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 200,
    query: { roomid: 'later' },
    auth: { token },
  })
  let refused = false
  socket.on('connect_error', () => (refused = true))
  const unavailable = /gateway_auth_total\{.*result="unavailable".*\} (\d+)/
  await until('two attempts', async () => (await metric(unavailable)) >= 2)
  expect(refused).toBe(false)
  // Those whose keys are known get in meanwhile.
  await keep(joinRoom(gateway(0), 'later', 'bob', await as('v')))
  keyServer.publish(key, fresh)
  keyServer.answer(200)
  await until('a connection', () => socket.connected)
  socket.disconnect()
})

it('no token was ever logged', () => {
  const lines = JSON.stringify(deployment.logged())
  expect(lines).toContain('gateway is listening')
  expect(lines).not.toMatch(/eyJ[\w-]+\.[\w-]+/)
})
