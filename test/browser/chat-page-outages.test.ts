import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { startBrowser, type TestBrowser } from '../support/browser.ts'
import { joinRoom, says, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { startNginx } from '../support/nginx.ts'
import { until } from '../support/processes.ts'
import { startProxy } from '../support/proxy.ts'
import { enterRoom, type ChatPage } from './pages/chat-page.ts'

const suite = new AsyncDisposableStack()
let deployment: Deployment
let browser: TestBrowser
const pages: ChatPage[] = []
const clients: TestClient[] = []
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''
const enter = async (url: string, room: string, name: string): Promise<ChatPage> => {
  const page = await enterRoom(browser, url, { room, name })
  pages.push(page)
  return page
}
const join = async (url: string, room: string, name: string): Promise<TestClient> => {
  const client = await joinRoom(url, room, name)
  clients.push(client)
  return client
}

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({
      gateways: 2,
      env: { QUIT_GRACE_MS: '200' },
    }),
  )
  browser = suite.use(await startBrowser())
}, 60_000)
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  const faults = pages.flatMap((page) => page.faults({ networkErrors: 'ignored' }))
  await Promise.all(pages.splice(0).map((page) => page[Symbol.asyncDispose]()))
  expect(faults).toEqual([])
})
afterAll(() => suite.disposeAsync())

/** The ids with which a page sent this text, one for each attempt. */
function idsOf(page: ChatPage, text: string): string[] {
  return page.sent.flatMap((packet) => {
    const says = packet.includes('["say",') && packet.includes(JSON.stringify(text))
    return says ? [/"id":"([^"]+)"/.exec(packet)?.[1] ?? ''] : []
  })
}

/** Both pages show each of these texts once, and everything in the same order. */
async function showSame(
  [first, second]: readonly [ChatPage, ChatPage],
  texts: readonly string[],
): Promise<void> {
  for (const page of [first, second]) {
    for (const text of texts) await page.shows(text, 'sent')
  }
  const shown = await first.texts()
  expect(shown.toSorted()).toEqual(texts.toSorted())
  expect(await second.texts()).toEqual(shown)
}

it('what is said while Redis is dead is pending until it is back, and then there once for everybody', async () => {
  const alice = await enter(gateway(0), 'redis', 'alice')
  const bob = await enter(gateway(1), 'redis', 'bob')
  await alice.say('before')
  await bob.shows('before')
  await deployment.redis.kill()
  await Promise.all([alice.say('from alice'), bob.say('from bob')])
  expect(await alice.shows('from alice')).toMatchObject({ state: 'pending', offset: undefined })
  await alice.say('after that')
  // The server said that it can't now, and the page tries again without being told to.
  await until('another attempt', () => idsOf(alice, 'from alice').length > 1)
  await alice.page.locator('.message[data-state=pending] .note').first().waitFor()
  expect(await bob.texts()).toEqual(['before', 'from bob'])
  await deployment.redis.restart()
  await showSame([alice, bob], ['before', 'from alice', 'from bob', 'after that'])
  expect(new Set(idsOf(alice, 'from alice')).size).toBe(1)
  const texts = await alice.texts()
  expect(texts.indexOf('after that')).toBeGreaterThan(texts.indexOf('from alice'))
})

it('a message whose answer was lost with the connection is sent again as the same message', async () => {
  await using proxy = await startProxy(gateway(0))
  const alice = await enter(proxy.url, 'answers', 'alice')
  const bob = await enter(gateway(1), 'answers', 'bob')
  await alice.say('first')
  await alice.shows('first', 'sent')
  proxy.loseAnswers()
  await alice.say('was it heard?')
  await bob.shows('was it heard?')
  await bob.say('it was')
  await alice.page.locator('#state[data-state=reconnecting]').waitFor()
  expect(await alice.shows('was it heard?')).toMatchObject({ state: 'pending' })
  proxy.heal()
  await alice.isLive()
  await showSame([alice, bob], ['first', 'was it heard?', 'it was'])
  expect(new Set(idsOf(alice, 'was it heard?')).size).toBe(1)
  await alice.say('good')
  await bob.shows('good')
})

it('a page without network keeps what was written, and fills the gap when the network is back', async () => {
  const alice = await enter(gateway(0), 'offline', 'alice')
  const bob = await join(gateway(1), 'offline', 'bob')
  await bob.ask('say', { text: 'before' })
  await alice.shows('before')
  await alice.page.context().setOffline(true)
  await alice.page.locator('#state[data-state=offline]').waitFor()
  await bob.got(
    'the quit of alice',
    ({ event, data }) => event === 'broadcast_quit' && data.username === 'alice',
  )
  // More than one page of history holds.
  const missed = Array.from({ length: 230 }, (_, i) => `missed ${i}`)
  await Promise.all(missed.map((text) => bob.ask('say', { text })))
  await alice.say('from alice')
  expect(await alice.shows('from alice')).toMatchObject({ state: 'pending' })
  await alice.page.context().setOffline(false)
  await alice.isLive()
  await alice.shows('from alice', 'sent')
  const expected = ['before', ...missed, 'from alice']
  await until('everything', async () => (await alice.texts()).length >= expected.length)
  expect(await alice.texts()).toEqual(expected)
  expect(await alice.page.locator('.gap').count()).toBe(0)
  await until('the message at bob', () => bob.texts().length === expected.length)
  expect(bob.texts()).toEqual(expected)
})

it('a broker that hangs delays a message and does not double it', async () => {
  const alice = await enter(gateway(0), 'broker', 'alice')
  const bob = await enter(gateway(1), 'broker', 'bob')
  const [broker] = deployment.brokers
  broker?.signal('SIGSTOP')
  await alice.say('slow')
  expect(await alice.shows('slow')).toMatchObject({ state: 'pending' })
  // Longer than the gateway waits for a broker, and than the page waits for the gateway.
  await until('another attempt', () => idsOf(alice, 'slow').length > 1)
  expect(await bob.texts()).toEqual([])
  broker?.signal('SIGCONT')
  await showSame([alice, bob], ['slow'])
  expect(new Set(idsOf(alice, 'slow')).size).toBe(1)
})

it('a page whose gateway is killed goes on at another one with nothing missing', async () => {
  await using nginx = await startNginx(deployment.gateways.map(({ url }) => new URL(url).host))
  const home = await nginx.upstreamOf('127.0.0.1')
  const [dying] = deployment.gateways.filter(({ url }) => url.endsWith(home))
  const [surviving] = deployment.gateways.filter(({ url }) => !url.endsWith(home))
  const alice = await enter(nginx.url, 'killed', 'alice')
  const bob = await join(surviving?.url ?? '', 'killed', 'bob')
  await bob.ask('say', { text: 'before' })
  await alice.shows('before')
  dying?.signal('SIGKILL')
  const missed = Array.from({ length: 10 }, (_, i) => `missed ${i}`)
  for (const text of missed) await bob.ask('say', { text })
  await alice.say('from alice')
  await alice.shows('from alice', 'sent')
  await bob.ask('say', { text: 'after' })
  await Promise.all([alice.shows('after'), bob.got('his own message', says('after'))])
  expect(bob.texts().toSorted()).toEqual(['before', ...missed, 'from alice', 'after'].toSorted())
  expect(await alice.texts()).toEqual(bob.texts())
  // None when it went by polling, before the upgrade: only what goes over a websocket is seen here.
  expect(new Set(idsOf(alice, 'from alice')).size).toBeLessThanOrEqual(1)
})
