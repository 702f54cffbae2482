import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import type { z } from 'zod'
import type { GatewaysView } from '@roomcast/protocol'
import { enterRoom } from '../browser/pages/chat-page.ts'
import { startBrowser } from '../support/browser.ts'
import { joinRoom, says } from '../support/clients.ts'
import { getJson } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { gather, type Transports } from './support/crowd.ts'
import { entranceOf, type Entrance } from './support/entrance.ts'
import { createNamespace, type Namespace } from './support/namespace.ts'
import { install, over, SMALL, type Release } from './support/release.ts'
import { report } from './support/report.ts'

jest.setTimeout(300_000)

const GATEWAYS = 3
const MEMBERS = 24
const MESSAGES_EACH = 10
const WAYS = [
  ['long polling', ['polling'], 'polling'],
  ['long polling and the upgrade', ['polling', 'websocket'], 'websocket'],
  ['websocket', ['websocket'], 'websocket'],
] as const satisfies readonly (readonly [string, Transports, string])[]

const suite = new AsyncDisposableStack()
let namespace: Namespace
let entrance: Entrance
let release: Release
beforeAll(async () => {
  namespace = suite.use(await createNamespace())
  entrance = entranceOf(namespace)
  release = await install(namespace, over(SMALL, entrance.values))
  await entrance.isOpen(GATEWAYS)
})
afterAll(() => suite.disposeAsync())

/** Lets members talk, each on the same way in, and says who is where. Nobody loses a message or the connection. */
async function talk(
  scenario: string,
  room: string,
  [way, transports, expected]: (typeof WAYS)[number],
): Promise<void> {
  await using crowd = await gather(
    entrance.url,
    { ...entrance.options, room },
    { size: MEMBERS, transports: [transports] },
  )
  await until(`${MEMBERS} by ${expected}`, () => crowd.transports()[expected] === MEMBERS)
  await using presence = await namespace.forward(`service/${release.named('presence')}`, 8_090)
  const spread = await until('presence to know them all', async () => {
    const { gateways } = await getJson<z.infer<typeof GatewaysView>>(`${presence.url}/v1/gateways`)
    const connections = gateways.map(({ connections: by }) => by.polling + by.websocket)
    return connections.reduce((a, b) => a + b, 0) === MEMBERS && connections
  })
  await until('some talk', () => crowd.acknowledged() >= MEMBERS * MESSAGES_EACH)
  const { acknowledged, lost, doubled, rejoined, recovered } = await crowd.conclude()
  const reconnects = rejoined + recovered
  report(
    scenario,
    `${way}: ${MEMBERS} members on gateways with ${spread.join(', ')}; ${acknowledged} messages, each to all: ${lost} lost, ${doubled} doubled, ${reconnects} reconnects`,
  )
  expect(spread).toHaveLength(GATEWAYS)
  expect(spread.every((connections) => connections > 0)).toBe(true)
  expect({ lost, doubled, reconnects }).toEqual({ lost: 0, doubled: 0, reconnects: 0 })
}

it.each(WAYS)('members on three gateways hear each other by %s', async (...way) => {
  await talk('ingress', way[1].join('-'), way)
})

it('a browser chats with a stock client on the other side', async () => {
  await using browser = await startBrowser()
  await using alice = await enterRoom(browser, entrance.url, { room: 'page', name: 'alice' })
  const cookies = await alice.page.context().cookies()
  const bob = await joinRoom(entrance.url, 'page', 'bob', entrance.options)
  try {
    await alice.notices('join', 'bob')
    await alice.say('hello')
    await bob.got('hello', says('hello'))
    await bob.ask('say', { text: 'hello yourself' })
    await alice.shows('hello yourself')
  } finally {
    bob.close()
  }
  expect(alice.faults()).toEqual([])
  expect(cookies).toMatchObject([{ name: 'roomcast', httpOnly: true, sameSite: 'Lax' }])
  report('ingress', `the browser was given the cookie ${cookies[0]?.name}`)
})

it('helm test comes in by the Ingress where its host resolves', async () => {
  const { isOk, stdout } = await release.test()
  expect({ isOk, stdout }).toMatchObject({
    isOk: true,
    stdout: expect.stringContaining('Roomcast works'),
  })
})

it('without affinity they do as well: gateways send on what is not theirs', async () => {
  await release.upgrade(
    over(over(SMALL, entrance.values), { ingress: { affinity: { enabled: false } } }),
  )
  await release.settles('gateway', GATEWAYS)
  for (const way of WAYS) await talk('no affinity', `free-${way[1].join('-')}`, way)
})
