import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Message } from '@roomcast/protocol'
import {
  connectClient,
  joinRoom,
  says,
  type ClientOptions,
  type TestClient,
} from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'

let deployment: Deployment
const toClose: { close(): void }[] = []
const proxies: Proxy[] = []
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  toClose.push(await client)
  return client
}
/** A way to a gateway that can be cut and led elsewhere. */
async function wayTo(url: string): Promise<Proxy> {
  const proxy = await startProxy(url)
  proxies.push(proxy)
  return proxy
}
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''

beforeAll(async () => {
  deployment = await startDeployment({
    gateways: 2,
    env: {
      QUIT_GRACE_MS: '1500',
      RECOVERY_MAX_MESSAGES: '50',
    },
  })
}, 60_000)
afterEach(async () => {
  for (const client of toClose.splice(0)) client.close()
  for (const proxy of proxies.splice(0)) await proxy[Symbol.asyncDispose]()
})
afterAll(async () => deployment[Symbol.asyncDispose]())

const texts = (n: number, from = 0): string[] => Array.from({ length: n }, (_, i) => `${from + i}`)

async function sayAll(client: TestClient, list: readonly string[]): Promise<void> {
  for (const text of list) {
    const answer = await client.ask('say', { text, id: text })
    if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer)}`)
  }
}

const isNotice = (name: string) => (message: Message) =>
  (message.event === 'join' || message.event === 'broadcast_quit') && message.data.username === name
const noticesOf = (client: TestClient, name: string): string[] =>
  client.received
    .map(({ message }) => message)
    .filter(isNotice(name))
    .map(({ event }) => event)

/** The count of one result of recovery over all gateways. */
async function counted(result: string): Promise<number> {
  const all = await Promise.all(
    deployment.gateways
      .filter(({ child }) => child.exitCode === null && child.signalCode === null)
      .map(async ({ metricsUrl }) => {
        const metrics = await (await fetch(`${metricsUrl}/metrics`)).text()
        const pattern = new RegExp(
          `^roomcast_gateway_recoveries_total\\{.*result="${result}".*\\} (\\d+)`,
          'm',
        )
        return Number(pattern.exec(metrics)?.[1] ?? 0)
      }),
  )
  return all.reduce((sum, n) => sum + n, 0)
}

const isBack = async (client: TestClient, how: 'recovered' | 'new'): Promise<void> => {
  await until(
    `a ${how} connection`,
    () => client.socket.connected && client.socket.recovered === (how === 'recovered'),
  )
}

/** The same socket as before: recovered, or never gone, since a polling request that lands elsewhere is sent on to its gateway. */
const goesOn = async (client: TestClient, id: string | undefined): Promise<void> => {
  await until('the same socket', () => client.socket.connected && client.socket.id === id)
}

const TRANSPORTS: [string, ClientOptions][] = [
  ['websocket alone', { transports: ['websocket'] }],
  ['polling alone', { transports: ['polling'] }],
  ['polling with upgrade', { transports: ['polling', 'websocket'] }],
]

describe.each(TRANSPORTS)('an unmodified client over %s', (name, transport) => {
  it('whose connection is cut goes on where it was, on another gateway, and nobody notices', async () => {
    const room = `cut ${name}`
    const bob = await keep(joinRoom(gateway(1), room, 'bob'))
    const way = await wayTo(gateway(0))
    const alice = await keep(joinRoom(way.url, room, 'alice', transport))
    await alice.got('her own join', isNotice('alice'))
    await sayAll(bob, texts(10))
    await alice.got('a message', says('9'))
    const { id } = alice.socket
    way.retarget(gateway(1))
    way.cut()
    await sayAll(bob, texts(20, 10))
    if (name === 'websocket alone') await isBack(alice, 'recovered')
    await sayAll(bob, texts(5, 30))
    await alice.got('the last message', says('34'))
    await goesOn(alice, id)
    expect(alice.texts()).toEqual(texts(35))
    expect(await alice.ask('say', { text: 'it is still me' })).toMatchObject({ ok: true })
    const { message } = await bob.got('her message', says('it is still me'))
    expect(message.data).toMatchObject({ username: 'alice' })
    expect(noticesOf(bob, 'alice')).toEqual(['join'])
    expect(noticesOf(alice, 'alice')).toEqual(['join'])
  })

  it('who never got a message but joined goes on as well', async () => {
    const room = `fresh ${name}`
    const way = await wayTo(gateway(0))
    const alice = await keep(joinRoom(way.url, room, 'alice', transport))
    const { id } = alice.socket
    way.retarget(gateway(1))
    way.cut()
    const bob = await keep(joinRoom(gateway(0), room, 'bob'))
    await sayAll(bob, texts(3))
    if (name === 'websocket alone') await isBack(alice, 'recovered')
    await alice.got('the last message', says('2'))
    await goesOn(alice, id)
    expect(alice.texts()).toEqual(texts(3))
  })
})

it('a connection that is cut again and again under traffic gets each message once and in order', async () => {
  const way = await wayTo(gateway(0))
  const bob = await keep(joinRoom(gateway(1), 'again', 'bob'))
  const alice = await keep(
    joinRoom(way.url, 'again', 'alice', { reconnectionDelay: 10, reconnectionDelayMax: 20 }),
  )
  let sent = 0
  for (let round = 0; round < 8; round++) {
    await sayAll(bob, texts(15, sent))
    sent += 15
    // In every other round in the midst of the recovery itself.
    way.retarget(gateway(round % 2))
    way.cut()
    await sayAll(bob, texts(5, sent))
    sent += 5
    if (round % 2 === 0) way.cut()
  }
  await alice.got('the last message', says(`${sent - 1}`))
  expect(alice.texts()).toEqual(texts(sent))
  expect(noticesOf(bob, 'alice')).toEqual(['join'])
})

it('whose old connection still seems to live takes its place: the old one is closed, without a quit', async () => {
  const bob = await keep(joinRoom(gateway(0), 'alive', 'bob'))
  const old = await keep(joinRoom(gateway(0), 'alive', 'alice', { reconnection: false }))
  await old.got('her own join', isNotice('alice'))
  const { id, _pid: pid } = old.socket as unknown as { id: string; _pid: string }
  // The last one may be a count, which has none.
  const offset = old.received.findLast((last) => last.offset !== undefined)?.offset
  const resumed = await keep(connectClient(gateway(0), { room: 'alive', auth: { pid, offset } }))
  expect(resumed.socket.id).toBe(id)
  await until('the old one to be closed', () => !old.socket.connected)
  await sayAll(bob, texts(3))
  await resumed.got('the last message', says('2'))
  expect(resumed.texts()).toEqual(texts(3))
  expect(old.texts()).toEqual([])
  expect(await resumed.ask('say', { text: 'it is me' })).toMatchObject({ ok: true })
  expect(noticesOf(bob, 'alice')).toEqual(['join'])
})

it('several rooms over one connection are recovered each', async () => {
  const way = await wayTo(gateway(0))
  const bobs = await Promise.all(['a', 'b'].map((room) => keep(joinRoom(gateway(1), room, 'bob'))))
  const first = await keep(joinRoom(way.url, '', 'alice', { namespace: 'a', forceNew: false }))
  const second = await keep(joinRoom(way.url, '', 'alice', { namespace: 'b', forceNew: false }))
  expect(second.socket.io).toBe(first.socket.io)
  way.retarget(gateway(1))
  way.cut()
  for (const bob of bobs) await sayAll(bob, texts(3))
  for (const client of [first, second]) {
    await isBack(client, 'recovered')
    await client.got('the last message', says('2'))
    expect(client.texts()).toEqual(texts(3))
  }
})

it('a say that was buffered while the connection was away is sent under the same name', async () => {
  const way = await wayTo(gateway(0))
  const bob = await keep(joinRoom(gateway(1), 'buffered', 'bob'))
  const alice = await keep(joinRoom(way.url, 'buffered', 'alice'))
  await alice.got('her own join', isNotice('alice'))
  way.retarget(gateway(1))
  way.cut()
  await until('the cut to be noticed', () => !alice.socket.connected)
  const answer = alice.ask('say', { text: 'buffered' })
  expect(await answer).toMatchObject({ ok: true })
  const { message } = await bob.got('the message', says('buffered'))
  expect(message.data).toMatchObject({ username: 'alice' })
})

it('who comes back after his quit was announced is announced again', async () => {
  const way = await wayTo(gateway(0))
  const bob = await keep(joinRoom(gateway(1), 'late', 'bob'))
  const alice = await keep(
    joinRoom(way.url, 'late', 'alice', {
      reconnectionDelay: 2_500,
      reconnectionDelayMax: 2_500,
      randomizationFactor: 0,
    }),
  )
  await bob.got('the join', isNotice('alice'))
  way.retarget(gateway(1))
  way.cut()
  await until('the quit', () => noticesOf(bob, 'alice').includes('broadcast_quit'))
  await sayAll(bob, texts(2))
  await isBack(alice, 'recovered')
  await until('the second join', () => noticesOf(bob, 'alice').length === 3)
  expect(noticesOf(bob, 'alice')).toEqual(['join', 'broadcast_quit', 'join'])
  await until('the same for her', () => noticesOf(alice, 'alice').length === 3)
  expect(noticesOf(alice, 'alice')).toEqual(['join', 'broadcast_quit', 'join'])
  expect(alice.texts()).toEqual(texts(2))
})

it('who left on purpose is not recovered', async () => {
  const way = await wayTo(gateway(0))
  const alice = await keep(joinRoom(way.url, 'left', 'alice'))
  await alice.ask('leave')
  const before = await counted('expired')
  way.cut()
  await until('the cut to be noticed', () => !alice.socket.connected)
  await isBack(alice, 'new')
  expect(await counted('expired')).toBe(before + 1)
})

describe('one who can not be recovered joins anew, and the reason is counted', () => {
  const lose = async (room: string, meanwhile: () => Promise<void>): Promise<TestClient> => {
    const way = await wayTo(gateway(0))
    const alice = await keep(joinRoom(way.url, room, 'alice'))
    await alice.got('her own join', isNotice('alice'))
    const { id } = alice.socket
    // Nowhere to go until what was to happen has happened.
    way.retarget('http://127.0.0.1:1')
    way.cut()
    await until('the cut to be noticed', () => !alice.socket.connected)
    await meanwhile()
    way.retarget(gateway(1))
    await isBack(alice, 'new')
    expect(alice.socket.id).not.toBe(id)
    expect(await alice.ask('join', { username: 'alice' })).toMatchObject({ ok: true })
    return alice
  }

  it('too many messages were missed', async () => {
    const bob = await keep(joinRoom(gateway(1), 'too many', 'bob'))
    const before = await counted('too_many')
    const alice = await lose('too many', () => sayAll(bob, texts(60)))
    expect(await counted('too_many')).toBe(before + 1)
    expect(alice.texts()).toEqual([])
  })

  it('messages that were missed are no longer in the log', async () => {
    const bob = await keep(joinRoom(gateway(1), 'trimmed', 'bob'))
    const before = await counted('trimmed')
    await lose('trimmed', async () => {
      await sayAll(bob, texts(3))
      const [stream = ''] = await deployment.redis.admin.keys(
        `*:{${Buffer.from('trimmed').toString('base64url')}}:log`,
      )
      await deployment.redis.admin.xtrim(stream, 'MAXLEN', 1)
    })
    expect(await counted('trimmed')).toBe(before + 1)
  })

  it('the session is gone', async () => {
    const before = await counted('expired')
    await lose('gone', async () => {
      const keys = await deployment.redis.admin.keys('*:session:*')
      for (const key of keys) await deployment.redis.admin.del(key)
    })
    expect(await counted('expired')).toBe(before + 1)
  })
})

it('while Redis is away the client keeps its session, and is recovered when it is back', async () => {
  const way = await wayTo(gateway(0))
  const bob = await keep(joinRoom(gateway(1), 'away', 'bob'))
  const alice = await keep(joinRoom(way.url, 'away', 'alice'))
  await sayAll(bob, texts(3))
  await alice.got('a message', says('2'))
  const { id } = alice.socket
  await deployment.redis.kill()
  way.retarget(gateway(1))
  way.cut()
  await until('an attempt while Redis is away', async () => (await counted('unavailable')) > 0)
  await deployment.redis.restart()
  await isBack(alice, 'recovered')
  expect(alice.socket.id).toBe(id)
  await until(
    'a message to be taken again',
    async () => (await bob.ask('say', { text: 'back', id: 'back' })).ok,
  )
  await alice.got('the message', says('back'))
  expect(alice.texts()).toEqual([...texts(3), 'back'])
})

it('kill -9 of a gateway: its members go on elsewhere, with all that was said meanwhile', async () => {
  const doomed = await deployment.addGateway()
  const way = await wayTo(doomed.url)
  const bob = await keep(joinRoom(gateway(1), 'killed', 'bob'))
  const members = await Promise.all(
    TRANSPORTS.map(([, transport], i) =>
      keep(joinRoom(way.url, 'killed', `member ${i}`, transport)),
    ),
  )
  await sayAll(bob, texts(5))
  for (const member of members) await member.got('a message', says('4'))
  way.retarget(gateway(0))
  doomed.signal('SIGKILL')
  await doomed.ended()
  await sayAll(bob, texts(10, 5))
  for (const member of members) {
    await isBack(member, 'recovered')
    await member.got('the last message', says('14'))
    expect(member.texts()).toEqual(texts(15))
  }
})
