import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRequire } from 'node:module'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

/** A page as somebody wrote it years ago for a server of his own, who knows nothing of this one. */
const PAGE = readFileSync(new URL('pages/tutorial.html', import.meta.url), 'utf8')
const OLD_CLIENT = readFileSync(
  createRequire(import.meta.url).resolve('socket.io-client-v2/dist/socket.io.js'),
)

const suite = new AsyncDisposableStack()
let deployment: Deployment
let browser: TestBrowser
let site: Site
const pages: TestPage[] = []

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({
      gateways: 2,
      env: { QUIT_GRACE_MS: '200', CORS_ORIGINS: '*' },
    }),
  )
  browser = suite.use(await startBrowser())
  site = suite.use(await startSite())
}, 60_000)
afterEach(async () => {
  const faults = pages.flatMap((page) => page.faults())
  await Promise.all(pages.splice(0).map((page) => page[Symbol.asyncDispose]()))
  expect(faults).toEqual([])
})
afterAll(() => suite.disposeAsync())

interface Site extends AsyncDisposable {
  readonly url: string
}

/** The stranger's own web server, on an origin of its own: the page, written for one gateway, and his copy of the old client. */
async function startSite(): Promise<Site> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    if (pathname === '/old/socket.io.js') {
      response.setHeader('content-type', 'text/javascript').end(OLD_CLIENT)
      return
    }
    if (pathname !== '/') {
      // The icon, which browsers ask for by themselves.
      response.writeHead(204).end()
      return
    }
    const { host } = new URL(deployment.gateways[Number(searchParams.get('gateway'))]?.url ?? '')
    const client =
      searchParams.get('client') === 'old'
        ? '/old/socket.io.js'
        : `http://${host}/static/socket.io.js`
    response
      .setHeader('content-type', 'text/html')
      .end(PAGE.replace('{{CLIENT}}', client).replace('{{HOST}}', host))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface TutorialPage extends TestPage {
  lines(kind: 'own' | 'other' | 'notice' | 'system'): Promise<string[]>
  shows(kind: 'own' | 'other' | 'notice' | 'system', line: string): Promise<void>
  say(text: string): Promise<void>
}

async function openTutorial(
  room: string,
  name: string,
  { gateway, client }: { readonly gateway: 0 | 1; readonly client: 'served' | 'old' },
): Promise<TutorialPage> {
  const opened = await browser.open()
  pages.push(opened)
  const { page } = opened
  const answers = [room, name]
  page.on('dialog', (dialog) => void dialog.accept(answers.shift()))
  await page.goto(`${site.url}/?gateway=${gateway}&client=${client}`)
  const lines: TutorialPage['lines'] = (kind) => page.locator(`#list .${kind}`).allTextContents()
  return {
    ...opened,
    lines,
    async shows(kind, line) {
      await until(`${line} at ${name}`, async () => (await lines(kind)).includes(line))
    },
    async say(text) {
      await page.fill('#words', text)
      await page.press('#words', 'Enter')
    },
  }
}

it.each([
  { what: 'the client that the gateway serves', client: 'served' },
  { what: 'the old v2 client', client: 'old' },
] as const)(
  "the tutorial's page works unmodified with $what, across gateways",
  async ({ client }) => {
    const room = `1000 ${client}`
    const alice = await openTutorial(room, 'alice', { gateway: 0, client })
    await alice.shows('notice', 'alice joined the room')
    const bob = await openTutorial(room, 'bob', { gateway: 1, client })
    await alice.shows('notice', 'bob joined the room')
    await alice.say('hello')
    await bob.shows('other', 'alice: hello [0]')
    await alice.shows('own', 'alice: hello [0]')
    await bob.say('hello yourself <b>')
    await alice.shows('other', 'bob: hello yourself <b> [0]')
    await bob.shows('own', 'bob: hello yourself <b> [0]')
    expect(await alice.lines('own')).toEqual(['alice: hello [0]'])
    expect(await bob.lines('other')).toEqual(['alice: hello [0]'])
    expect(await alice.lines('system')).toEqual(['connected'])
    await bob.page.close()
    await alice.shows('notice', 'bob left the room')
  },
)

it('pages with the old client and with the new one talk with each other', async () => {
  const alice = await openTutorial('mixed', 'alice', { gateway: 0, client: 'old' })
  await alice.shows('notice', 'alice joined the room')
  const bob = await openTutorial('mixed', 'bob', { gateway: 1, client: 'served' })
  await alice.shows('notice', 'bob joined the room')
  await alice.say('old')
  await bob.shows('other', 'alice: old [0]')
  await bob.say('new')
  await alice.shows('other', 'bob: new [0]')
})

it('who says that he is somebody else is shown as who he joined as', async () => {
  const alice = await openTutorial('names', 'alice', { gateway: 0, client: 'served' })
  await alice.shows('notice', 'alice joined the room')
  const mallory = await openTutorial('names', 'mallory', { gateway: 1, client: 'served' })
  await alice.shows('notice', 'mallory joined the room')
  await mallory.page.evaluate(() => Object.assign(window, { username: 'alice' }))
  await mallory.say('I am alice')
  await alice.shows('other', 'mallory: I am alice [0]')
})
