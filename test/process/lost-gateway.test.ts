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
import { PATIENCE_MS, until } from '../support/processes.ts'
import { startProxy } from '../support/proxy.ts'

/** Longer than anything is waited for here: what presence forgets sooner is not forgotten by its lease. */
const LEASE_MS = 2 * PATIENCE_MS
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
/** Resolves when every replica knows so many gateways and members. */
async function counted(
  { presences }: Deployment,
  gateways: number,
  members: number,
): Promise<void> {
  await until(`${members} members on ${gateways} gateways`, async () => {
    const all = await Promise.all(presences.map(countsOf))
    return all.every(([g, m]) => g === gateways && m === members)
  })
}

it('a gateway that is killed is gone from every replica long before its lease is over', async () => {
  const [first, other] = deployment.gateways
  if (first === undefined || other === undefined) throw new Error('two gateways were to start')
  const bob = await joinRoom(other.url, 'gone', 'bob')
  const alice = await joinRoom(first.url, 'gone', 'alice', { reconnection: false })
  await counted(deployment, 2, 2)
  first.signal('SIGKILL')
  await counted(deployment, 1, 1)
  for (const client of [alice, bob]) client.close()
}, 60_000)

it('a gateway that is stopped is gone from every replica after its lease, and counts once when it goes on', async () => {
  // The grace is longer than the test takes: nobody is to be announced.
  const env = { QUIT_GRACE_MS: '60000', LEASE_MS: '3000' }
  await using stopping = await startDeployment({ gateways: 2, presences: 2, env })
  const [first, other] = stopping.gateways
  if (first === undefined || other === undefined) throw new Error('two gateways were to start')
  const bob = await joinRoom(other.url, 'gone', 'bob')
  const alice = await joinRoom(first.url, 'gone', 'alice')
  await counted(stopping, 2, 2)
  first.signal('SIGSTOP')
  await counted(stopping, 1, 1)
  first.signal('SIGCONT')
  await counted(stopping, 2, 2)
  expect([alice.socket.connected, alice.socket.recovered]).toEqual([true, false])
  expect(quitsOf(bob)).toEqual([])
  for (const client of [alice, bob]) client.close()
}, 60_000)

/** Which replicas of presence end at the moment in which a gateway is killed. */
const FATES: [string, (presences: readonly TestService[]) => readonly TestService[]][] = [
  ['alone', () => []],
  // Outside of Kubernetes the leader is the first that answers, in the order of their addresses.
  [
    'together with the leader of presence',
    (presences) => presences.toSorted((a, b) => (a.url < b.url ? -1 : 1)).slice(0, 1),
  ],
  ['together with all of presence, which starts anew', (presences) => presences],
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
    const presences = [...deployment.presences]
    const ending = fate(presences)
    // The grace begins when presence hears of the end, which it does once those who come back are back: however slow the machine is.
    for (const presence of presences) presence.signal('SIGSTOP')
    for (const service of [killed, ...ending]) service.signal('SIGKILL')
    await Promise.all([killed, ...ending].map((service) => service.ended()))
    await until('those who come back', () =>
      back.every(({ socket }) => socket.connected && socket.recovered),
    )
    if (ending.length < presences.length)
      for (const presence of presences) presence.signal('SIGCONT')
    else
      await Promise.all(ending.map(async (presence) => isReady(await deployment.restart(presence))))
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
