import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { joinRoom, type TestClient } from '../support/clients.ts'
import {
  getJson,
  isReady,
  startDeployment,
  type Deployment,
  type TestService,
} from '../support/deployment.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'
import { until } from '../support/processes.ts'

const ROOM = 'network'
const LEASE_MS = 2_000
/** How long a replica may count members of a gateway that was killed, and of one that was cut off without a sign. */
const KILL_LIMIT_MS = 2_000
const SILENCE_LIMIT_MS = LEASE_MS + 1_000
/** How long after a network has healed a replica may still be wrong. */
const HEAL_LIMIT_MS = 2_000

interface Members {
  readonly online: number
  readonly members: readonly { readonly name: string; readonly connections: number }[]
}

let deployment: Deployment
/** What a near gateway has, and no network ever hides. */
let near: TestService
/** To each replica, of the gateway behind them: the network that fails. */
let networks: readonly [Proxy, Proxy]
const opened = new Map<TestClient, string>()

/** A gateway that reaches presence by the networks alone. */
const addFarGateway = (): Promise<TestService> =>
  deployment.addGateway({ PRESENCE_URL: networks.map(({ url }) => url).join() })

const join = async (gateway: TestService, name: string): Promise<TestClient> => {
  const client = await joinRoom(gateway.url, ROOM, name, { reconnection: false })
  opened.set(client, name)
  return client
}

/** What a replica counts in all and in the room, and the names that it has there, each as often as it has it. */
const seenBy = async ({ url }: TestService): Promise<string> => {
  const [totals, { online, members }] = await Promise.all([
    getJson<{ members: number }>(`${url}/v1/stats`),
    getJson<Members>(`${url}/v1/rooms/${ROOM}/members?limit=1000`),
  ])
  return shown(
    totals.members,
    online,
    members.flatMap(({ name, connections }) => Array.from({ length: connections }, () => name)),
  )
}

const shown = (total: number, online: number, names: readonly string[]): string =>
  `${total} members, ${online} in the room: ${names.toSorted().join()}`

/** Resolves when the replicas know these members of the room and no others. */
async function agree(
  replicas: readonly TestService[],
  clients: readonly TestClient[],
  limitMs: number,
): Promise<void> {
  const names = clients.map((client) => opened.get(client) ?? 'a client that is closed')
  const truth = shown(names.length, names.length, names)
  let seen: string[] = []
  try {
    await until(
      'the truth',
      async () => {
        seen = await Promise.all(replicas.map(seenBy))
        return seen.every((one) => one === truth)
      },
      limitMs,
    )
  } catch (error) {
    throw new Error(`true is ${truth}; known is ${seen.join(' and ')}`, { cause: error })
  }
}

/** Resolves when the replica has forgotten a gateway. */
const forgets = (replica: TestService, gateways: number, limitMs: number): Promise<boolean> =>
  until(
    'the end of the lease',
    async () =>
      (await getJson<{ gateways: number }>(`${replica.url}/v1/stats`)).gateways === gateways,
    limitMs,
  )

beforeAll(async () => {
  deployment = await startDeployment({
    gateways: 1,
    presences: 2,
    env: { LEASE_MS: String(LEASE_MS), QUIT_GRACE_MS: '100' },
  })
  ;[near] = deployment.gateways as [TestService]
  networks = (await Promise.all(deployment.presences.map(({ url }) => startProxy(url)))) as [
    Proxy,
    Proxy,
  ]
}, 60_000)

afterAll(async () => {
  for (const client of opened.keys()) client.close()
  for (const network of networks ?? []) await network[Symbol.asyncDispose]()
  await deployment?.[Symbol.asyncDispose]()
})

describe('a network between a gateway and presence that fails without a sign', () => {
  let far: TestService
  let stays: TestClient
  let resident: TestClient

  beforeAll(async () => {
    far = await addFarGateway()
    resident = await join(near, 'resident')
    stays = await join(far, 'stays')
  }, 30_000)

  it('to one replica: that one forgets the gateway, the other counts on, and both agree when it has healed', async () => {
    const [a, b] = deployment.presences as [TestService, TestService]
    const leaves = await join(far, 'leaves')
    await agree([a, b], [resident, stays, leaves], KILL_LIMIT_MS)
    networks[0].silence()
    leaves.close()
    const comes = await join(far, 'comes')
    await agree([b], [resident, stays, comes], KILL_LIMIT_MS)
    await agree([a], [resident], SILENCE_LIMIT_MS)
    await agree([b], [resident, stays, comes], 0)
    networks[0].heal()
    await agree([a, b], [resident, stays, comes], HEAL_LIMIT_MS)
    comes.close()
    await agree([a, b], [resident, stays], KILL_LIMIT_MS)
  })

  it('for less than a lease: nothing is forgotten, and what changed meanwhile is known when it has healed', async () => {
    const [a, b] = deployment.presences as [TestService, TestService]
    const leaves = await join(far, 'leaves')
    await agree([a, b], [resident, stays, leaves], KILL_LIMIT_MS)
    for (const network of networks) network.silence()
    leaves.close()
    const comes = await join(far, 'comes')
    const silent = await until('the beats to be missed', async () => {
      const gateways = await getJson<{ gateways: { state: string; ageMs: number }[] }>(
        `${a.url}/v1/gateways`,
      )
      return gateways.gateways.find(({ ageMs }) => ageMs > LEASE_MS / 2)
    })
    expect(silent.ageMs).toBeLessThan(LEASE_MS)
    for (const network of networks) network.heal()
    await agree([a, b], [resident, stays, comes], HEAL_LIMIT_MS)
    comes.close()
  })

  it('while a replica is killed and comes back: both agree when it has healed', async () => {
    const [a, b] = deployment.presences as [TestService, TestService]
    for (const network of networks) network.silence()
    await agree([a, b], [resident], SILENCE_LIMIT_MS)
    a.signal('SIGKILL')
    await a.ended()
    const restarted = await deployment.restart(a)
    const comes = await join(far, 'comes')
    await isReady(restarted)
    await agree([restarted, b], [resident], HEAL_LIMIT_MS)
    for (const network of networks) network.heal()
    await agree([restarted, b], [resident, stays, comes], HEAL_LIMIT_MS)
    comes.close()
    await agree([restarted, b], [resident, stays], KILL_LIMIT_MS)
  })

  it('while the gateway is killed: it is forgotten when its lease is over, and no ghost comes when it has healed', async () => {
    const [a, b] = deployment.presences as [TestService, TestService]
    for (const network of networks) network.silence()
    far.signal('SIGKILL')
    await far.ended()
    await agree([a, b], [resident], SILENCE_LIMIT_MS)
    for (const network of networks) network.heal()
    // The new one is heard after everything that the old one left behind.
    const next = await deployment.restart(far)
    await isReady(next)
    const comes = await join(next, 'comes')
    await agree([a, b], [resident, comes], HEAL_LIMIT_MS)
    far = next
    stays = comes
  })

  it('while the gateway and both replicas are killed: the new ones agree on who is there', async () => {
    const before = deployment.presences.slice()
    for (const network of networks) network.silence()
    for (const service of [...before, far]) service.signal('SIGKILL')
    await Promise.all([...before, far].map((service) => service.ended()))
    for (const network of networks) network.heal()
    const presences = await Promise.all(before.map((service) => deployment.restart(service)))
    const next = await deployment.restart(far)
    await Promise.all([...presences, next].map(isReady))
    const comes = await join(next, 'comes')
    await agree(presences, [resident, comes], HEAL_LIMIT_MS)
    far = next
    stays = comes
  })

  it('that ends its connections instead: the gateway is gone and back at once, and a kill of it is known at once', async () => {
    const replicas = deployment.presences as [TestService, TestService]
    const links = (): number => far.output().split('reports to a replica').length
    const before = links()
    for (const network of networks) network.cut()
    await until('new connections', () => links() === before + replicas.length, HEAL_LIMIT_MS)
    await agree(replicas, [resident, stays], HEAL_LIMIT_MS)
    far.signal('SIGKILL')
    await agree(replicas, [resident], KILL_LIMIT_MS)
    await Promise.all(replicas.map((replica) => forgets(replica, 1, KILL_LIMIT_MS)))
  })
})
