import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Said } from '@roomcast/protocol'
import { joinRoom, says, type ClientOptions, type TestClient } from '../support/clients.ts'
import {
  getJson,
  startDeployment,
  type Deployment,
  type TestService,
} from '../support/deployment.ts'
import { startNginx, type TestNginx } from '../support/nginx.ts'
import { until } from '../support/processes.ts'

const PODS = ['gateway-a', 'gateway-b', 'gateway-c'] as const
type Pod = (typeof PODS)[number]

const suite = new AsyncDisposableStack()
let deployment: Deployment
let nginx: TestNginx
let gateways: Record<Pod, TestService>
/** For each gateway the address of a client that nginx sends there. */
let addresses: Record<Pod, string>
const clients: TestClient[] = []

const byPod = <T>(values: readonly T[]): Record<Pod, T> =>
  Object.fromEntries(PODS.map((pod, i) => [pod, values[i]])) as Record<Pod, T>
const hostOf = (pod: Pod): string => new URL(gateways[pod].url).host

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({
      gateways: 0,
      env: { QUIT_GRACE_MS: '200' },
    }),
  )
  gateways = byPod(await Promise.all(PODS.map((pod) => deployment.addGateway({ POD_NAME: pod }))))
  nginx = suite.use(await startNginx(PODS.map(hostOf)))
  addresses = await findAddresses()
}, 60_000)
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(() => suite.disposeAsync())

/** Tries networks until each gateway has one, since which goes where is nginx's own affair. */
async function findAddresses(): Promise<Record<Pod, string>> {
  const found = new Map<string, string>()
  for (let network = 0; network < 256 && found.size < PODS.length; network++) {
    const client = `10.1.${network}.1`
    found.set(await nginx.upstreamOf(client), client)
  }
  return byPod(PODS.map((pod) => found.get(hostOf(pod)) ?? ''))
}

/** A member whose address is that of clients of `pod`, and who joins whenever he is connected. */
async function enter(
  room: string,
  name: string,
  pod: Pod,
  options: ClientOptions = {},
): Promise<TestClient> {
  const client = await joinRoom(nginx.url, room, name, {
    extraHeaders: { 'X-Forwarded-For': addresses[pod] },
    // Or an old client takes Node's own WebSocket, as a browser's, which has no headers to set.
    ...(options.generation === 2 ? { forceNode: true } : {}),
    ...options,
  })
  clients.push(client)
  client.socket.on('connect', () => client.socket.emit('join', { username: name }))
  return client
}

/** Each member's gateway, as presence knows it. */
async function podsOf(room: string): Promise<Record<string, string>> {
  const { members } = await getJson<{ members: { name: string; gateway: string }[] }>(
    `${deployment.presences[0]?.url}/v1/rooms/${encodeURIComponent(room)}/members`,
  )
  return Object.fromEntries(members.map(({ name, gateway }) => [name, gateway]))
}

const TRANSPORTS: [string, ClientOptions][] = [
  ['websocket alone', { transports: ['websocket'] }],
  ['polling alone', { transports: ['polling'] }],
  ['polling with upgrade', { transports: ['polling', 'websocket'] }],
]
const isUpgraded = ({ socket }: TestClient): boolean =>
  socket.io.engine.transport.name === 'websocket'

describe.each([4, 2] as const)('behind nginx, v%i clients', (generation) => {
  it.each(TRANSPORTS)('over %s chat across gateways, each on its own', async (name, transport) => {
    const room = `v${generation} ${name}`
    const members = await Promise.all(
      PODS.map((pod) => enter(room, pod, pod, { generation, ...transport })),
    )
    if (transport.transports?.length === 2) {
      await until('the upgrades', () => members.every(isUpgraded))
    }
    for (const [i, member] of members.entries()) {
      const said = await member.ask<Said>('say', { text: `${i}` })
      for (const other of members) {
        expect(await other.got('the message', says(`${i}`))).toMatchObject({ offset: said.offset })
      }
    }
    for (const member of members) expect(member.texts()).toEqual(['0', '1', '2'])
    await until('each at its gateway', async () => {
      const pods = await podsOf(room)
      return PODS.every((pod) => pods[pod] === pod)
    })
  })
})

it('each request of a client went to one gateway, the one of its address', async () => {
  const requests = (await nginx.requests()).filter(({ request }) => request.includes('/socket.io/'))
  for (const pod of PODS) {
    const own = requests.filter(({ client }) => client === addresses[pod])
    expect(own.length).toBeGreaterThan(10)
    expect(new Set(own.flatMap(({ upstreams }) => upstreams))).toEqual(new Set([hostOf(pod)]))
  }
})

it('when a gateway is killed its clients go on at another one, and nobody else notices', async () => {
  const room = 'killed'
  const [dying, ...surviving] = PODS
  const kinds: [string, ClientOptions][] = [
    ['v4 websocket', { transports: ['websocket'] }],
    ['v4 polling', { transports: ['polling'] }],
    ['v4 upgrade', { transports: ['polling', 'websocket'] }],
    ['v2 websocket', { generation: 2, transports: ['websocket'] }],
    ['v2 polling', { generation: 2, transports: ['polling'] }],
  ]
  const lost = await Promise.all(kinds.map(([name, options]) => enter(room, name, dying, options)))
  const others = await Promise.all(surviving.map((pod) => enter(room, pod, pod)))
  const [talker] = others
  const disconnects: string[] = []
  for (const { socket } of others) socket.on('disconnect', (reason) => disconnects.push(reason))
  await talker?.ask('say', { text: 'before' })
  for (const member of lost) await member.got('the message', says('before'))

  gateways[dying].signal('SIGKILL')
  await gateways[dying].ended()
  let said = 0
  await until('everybody at a gateway that lives', async () => {
    await talker?.ask('say', { text: `meanwhile ${said++}` })
    const pods = await podsOf(room)
    const homes = Object.values(pods).filter((pod) => pod !== dying)
    return (
      homes.length === lost.length + others.length && lost.every(({ socket }) => socket.connected)
    )
  })
  const back = await Promise.all(
    lost.map((member, i) => member.ask<Said>('say', { text: `back ${i}` })),
  )
  expect(back.every(({ ok }) => ok)).toBe(true)
  await talker?.ask('say', { text: 'after' })
  for (const member of [...lost, ...others]) await member.got('the last message', says('after'))

  const [first, second] = others.map((member) => member.texts())
  expect(first).toHaveLength(1 + said + lost.length + 1)
  expect(second).toEqual(first)
  for (const member of lost) {
    // What came while it had no connection may be missing; what came is in the room's order, and once.
    const texts = member.texts()
    const missed = (first ?? []).filter((text) => !texts.includes(text))
    expect(texts).toEqual(first?.filter((text) => !missed.includes(text)))
    expect(missed.filter((text) => !text.startsWith('meanwhile'))).toEqual([])
  }
  // Those of one address are together again.
  const pods = await podsOf(room)
  expect(new Set(kinds.map(([name]) => pods[name])).size).toBe(1)
  expect(disconnects).toEqual([])
})
