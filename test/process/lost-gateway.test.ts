import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import type { Message } from '@roomcast/protocol'
import { joinRoom, says, type TestClient } from '../support/clients.ts'
import {
  getJson,
  isReady,
  startDeployment,
  type Deployment,
  type TestService,
} from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { startProxy } from '../support/proxy.ts'

const LEASE_MS = 3_000
const AWAY = ['anna', 'ben', 'carla']
const BACK = ['xaver', 'yvonne', 'zoe']

let deployment: Deployment
const suite = new AsyncDisposableStack()

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({
      gateways: 2,
      presences: 2,
      env: { QUIT_GRACE_MS: '3000', LEASE_MS: `${LEASE_MS}` },
    }),
  )
}, 60_000)
afterEach(async () => {
  const ended = [...deployment.gateways, ...deployment.presences].filter(
    ({ child }) => child.signalCode !== null,
  )
  await Promise.all(ended.map(async (service) => isReady(await deployment.restart(service))))
}, 60_000)
afterAll(() => suite.disposeAsync())

const quitsOf = ({ received }: TestClient): string[] =>
  received.flatMap(({ message }) =>
    message.event === 'broadcast_quit' ? [message.data.username] : [],
  )

/** Gateways and members, as a replica of presence knows them. */
const countsOf = async ({ url }: TestService): Promise<[gateways: number, members: number]> => {
  const { gateways, members } = await getJson<{ gateways: number; members: number }>(
    `${url}/v1/stats`,
  )
  return [gateways, members]
}
/** Resolves when every replica knows so many gateways and members, with how long that took in milliseconds. */
async function counted(gateways: number, members: number): Promise<number> {
  const started = Date.now()
  await until(`${members} members on ${gateways} gateways`, async () => {
    const all = await Promise.all(deployment.presences.map(countsOf))
    return all.every(([g, m]) => g === gateways && m === members)
  })
  return Date.now() - started
}

it('a gateway that is killed is gone from every replica within 2 s, one that is stopped within its lease and 1 s, and counts once when it goes on', async () => {
  const [first, other] = deployment.gateways
  if (first === undefined || other === undefined) throw new Error('two gateways were to start')
  const bob = await joinRoom(other.url, 'gone', 'bob')
  const alice = await joinRoom(first.url, 'gone', 'alice')
  await counted(2, 2)
  first.signal('SIGSTOP')
  expect(await counted(1, 1)).toBeLessThan(LEASE_MS + 1_000)
  first.signal('SIGCONT')
  await counted(2, 2)
  expect([alice.socket.connected, alice.socket.recovered]).toEqual([true, false])
  expect(quitsOf(bob)).toEqual([])
  alice.socket.io.reconnection(false)
  first.signal('SIGKILL')
  expect(await counted(1, 1)).toBeLessThan(2_000)
  for (const client of [alice, bob]) client.close()
}, 60_000)

/** What happens to presence at the moment in which a gateway is killed. */
const FATES: [string, () => Promise<void>][] = [
  ['alone', () => Promise.resolve()],
  [
    'together with the leader of presence',
    async () => {
      // Outside of Kubernetes it is the first that answers, in the order of their addresses.
      const [leader] = deployment.presences.toSorted((a, b) => (a.url < b.url ? -1 : 1))
      leader?.signal('SIGKILL')
      await leader?.ended()
    },
  ],
  [
    'together with all of presence, which starts anew',
    async () => {
      const all = [...deployment.presences]
      for (const presence of all) presence.signal('SIGKILL')
      await Promise.all(
        all.map(async (presence) => {
          await presence.ended()
          await isReady(await deployment.restart(presence))
        }),
      )
    },
  ],
]

it.each(FATES)(
  'a gateway that is killed %s: one quit for each member who stays away, none for who is back',
  async (name, fate) => {
    const [killed, other] = deployment.gateways
    if (killed === undefined || other === undefined) throw new Error('two gateways were to start')
    const instance = await until('the gateway to be known', async () => {
      const { gateways } = await getJson<{ gateways: { pod: string; instance: string }[] }>(
        `${deployment.presences[0]?.url}/v1/gateways`,
      )
      return gateways.find(({ pod }) => pod === 'gateway-1')?.instance
    })
    await using way = await startProxy(killed.url)
    const bob = await joinRoom(other.url, name, 'bob')
    const away = await Promise.all(
      AWAY.map((who) => joinRoom(killed.url, name, who, { reconnection: false })),
    )
    // Somebody of a room in which nobody is left.
    const lonely = await joinRoom(killed.url, `${name} lonely`, 'lena', { reconnection: false })
    const back = await Promise.all(BACK.map((who) => joinRoom(way.url, name, who)))
    await bob.got('all joins', ({ data }) => 'online' in data && data.online === 7)
    way.retarget(other.url)
    killed.signal('SIGKILL')
    await Promise.all([killed.ended(), fate()])
    await until('those who come back', () =>
      back.every(({ socket }) => socket.connected && socket.recovered),
    )
    // What nobody is to be told about any more is no longer in the index of the one that is gone.
    await until(
      'the end of its sessions',
      async () => (await deployment.redis.admin.zcard(`roomcast:owner:{${instance}}`)) === 0,
      30_000,
    )
    await bob.ask('say', { text: 'over' })
    await bob.got('the last message', says('over'))
    expect(quitsOf(bob).sort()).toEqual(AWAY)
    const reader = await joinRoom(other.url, `${name} lonely`, 'reader')
    const { messages } = await reader.ask<{ messages: Message[] }>('history', {})
    const lenas = messages.filter(({ data }) => 'username' in data && data.username === 'lena')
    expect(lenas.map(({ event }) => event)).toEqual(['join', 'broadcast_quit'])
    for (const client of [bob, lonely, reader, ...away, ...back]) client.close()
  },
  60_000,
)
