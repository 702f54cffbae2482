import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.ts'
import { connectClient, joinRoom, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { startProxy } from '../support/proxy.ts'

/** How far behind the cluster the page may be, in milliseconds. */
const LAG_MAX_MS = 2_000
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }
/** What WCAG 2.2 asks of text (1.4.3). */
const CONTRAST_MIN = 4.5
/** The least side of what a finger has to hit, in CSS pixels (WCAG 2.2, 2.5.8). */
const TARGET_MIN_PX = 24
const KEY = 'a-key-of-the-team'

const suite = new AsyncDisposableStack()
let deployment: Deployment
let guarded: Deployment
let browser: TestBrowser
const pages: TestPage[] = []
const clients: TestClient[] = []
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''
const presence = (of: Deployment): string => of.presences[0]?.url ?? ''

const load = async (url: string, options: BrowserContextOptions = {}): Promise<Page> => {
  const opened = await browser.open(options)
  pages.push(opened)
  await opened.page.goto(url)
  return opened.page
}
/** Opens the dashboard, and resolves when it is live. */
const open = async (options: BrowserContextOptions = {}): Promise<Page> => {
  const page = await load(presence(deployment), options)
  await live(page)
  return page
}
const join = async (i: number, room: string, name: string): Promise<TestClient> => {
  const client = await joinRoom(gateway(i), room, name)
  clients.push(client)
  return client
}

const live = (page: Page): Promise<void> => page.locator('#state[data-state=live]').waitFor()
/** Resolves when the total shows this number; fails when it does not within what a page may lag. */
const shows = (page: Page, measure: string, number: number): Promise<void> =>
  page
    .locator(`.tile[data-measure=${measure}] .tile-value`)
    .getByText(String(number), { exact: true })
    .waitFor({ timeout: LAG_MAX_MS })
const row = (page: Page, pod: string) => page.locator(`.gateway[data-pod="${pod}"]`)
/** The cells of a room's row, its name first. */
const cells = (page: Page, room: string): Promise<string[]> =>
  page.locator(`.room[data-room="${room}"] > *`).allTextContents()

beforeAll(async () => {
  const env = { QUIT_GRACE_MS: '200' }
  deployment = suite.use(await startDeployment({ gateways: 2, env }))
  const keyed = { ...env, API_KEYS: KEY, POD_NAME: 'presence-0' }
  guarded = suite.use(await startDeployment({ gateways: 1, env: keyed }))
  browser = suite.use(await startBrowser())
}, 60_000)
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  const faults = pages.flatMap((page) => page.faults())
  await Promise.all(pages.splice(0).map((page) => page[Symbol.asyncDispose]()))
  expect(faults).toEqual([])
})
afterAll(() => suite.disposeAsync())

it('follows joins and leaves, by total, gateway and room', async () => {
  const page = await open()
  await shows(page, 'connections', 0)
  await shows(page, 'gateways', 2)
  expect(await page.getByText('Open to everybody who reaches this page').isVisible()).toBe(true)
  const alice = await join(0, 'harbour', 'alice')
  await shows(page, 'members', 1)
  await join(1, 'harbour', 'alice')
  const bob = await join(1, 'attic', 'bob')
  clients.push(await connectClient(gateway(1), { transports: ['polling'] }))
  await shows(page, 'members', 3)
  await shows(page, 'connections', 4)
  await shows(page, 'rooms', 2)
  await page.getByText('3 WebSocket · 1 polling').waitFor({ timeout: LAG_MAX_MS })
  const first = row(page, 'gateway-1')
  const second = row(page, 'gateway-2')
  expect(await first.locator('.gateway-count').textContent()).toBe('1')
  expect(await second.locator('.gateway-count').textContent()).toBe('3')
  expect(await second.textContent()).toMatch(/Ready.*2 members.*2 rooms/)
  const heads = page.locator('.rooms thead th')
  expect(await heads.allTextContents()).toEqual(['Room', 'Members', 'Users', 'Gateways'])
  expect(await heads.nth(2).getAttribute('title')).toMatch(/^Each user once/)
  expect(await cells(page, 'harbour')).toEqual(['harbour', '2', '1', '2'])
  expect(await cells(page, 'attic')).toEqual(['attic', '1', '1', '1'])

  alice.close()
  bob.close()
  await shows(page, 'members', 1)
  await shows(page, 'rooms', 1)
  expect(await cells(page, 'harbour')).toEqual(['harbour', '1', '1', '1'])
  expect(await page.locator('.room').count()).toBe(1)
})

it('a gateway that is killed disappears, with what it held', async () => {
  const page = await open()
  const third = await deployment.addGateway()
  await row(page, 'gateway-3').waitFor({ timeout: LAG_MAX_MS })
  await shows(page, 'gateways', 3)
  const client = await joinRoom(third.url, 'doomed', 'carol')
  clients.push(client)
  await shows(page, 'members', 1)
  third.signal('SIGKILL')
  await row(page, 'gateway-3').waitFor({ state: 'detached', timeout: LAG_MAX_MS })
  await shows(page, 'gateways', 2)
  await shows(page, 'members', 0)
  await page.getByText('Nobody is in a room yet.').waitFor()
})

it('a gateway that hangs is shown as silent', async () => {
  const page = await open()
  const { gateways } = deployment
  gateways[1]?.signal('SIGSTOP')
  try {
    await page.locator('.gateway[data-pod="gateway-2"][data-state=silent]').waitFor()
    await page.getByText('1 of 2 ready', { exact: true }).waitFor()
    // What needs a look comes first.
    expect(await page.locator('.gateway').first().getAttribute('data-pod')).toBe('gateway-2')
  } finally {
    gateways[1]?.signal('SIGCONT')
  }
  await page.locator('.gateway[data-pod="gateway-2"][data-state=ready]').waitFor()
})

it('finds a room among many, and keeps what it found up to date', async () => {
  await Promise.all(Array.from({ length: 60 }, (_, i) => join(i % 2, `room ${i}`, 'alice')))
  const page = await open()
  await shows(page, 'rooms', 60)
  await page.locator('#rooms-count').getByText('50 of 60').waitFor()
  expect(await page.locator('.room').count()).toBe(50)
  await page.fill('#search', 'ROOM 59')
  await page.locator('.room[data-room="room 59"]').waitFor()
  expect(await page.locator('.room').count()).toBe(1)
  await join(0, 'room 59', 'bob')
  await page.locator('.room .room-members').getByText('2', { exact: true }).waitFor()

  await page.fill('#search', '<b>nowhere</b>')
  await page.getByText('No room’s name contains “<b>nowhere</b>”.').waitFor()
  await page.fill('#search', '')
  await page.locator('.room[data-room="room 0"]').waitFor()
})

it('shows markup in names as text', async () => {
  const attack = '<img src=x onerror="window.hacked=1">'
  await join(0, attack, attack)
  const page = await open()
  await page.getByText(attack, { exact: true }).waitFor()
  expect(await page.evaluate(() => Object.hasOwn(window, 'hacked'))).toBe(false)
})

it('draws the chosen total over the chosen time, and says the same in words', async () => {
  await join(0, 'harbour', 'alice')
  await join(1, 'harbour', 'bob')
  const page = await open()
  const plot = page.locator('#plot')
  await plot.locator('canvas').waitFor()
  await page.locator('#plot[aria-label*="Connections, the last 5 minutes: 2 now"]').waitFor()
  await page.click('.tile[data-measure=rooms]')
  await page.locator('.tile[data-measure=rooms][aria-pressed=true]').waitFor()
  expect(await page.locator('.tile[aria-pressed=true]').count()).toBe(1)
  await page.click('.range[data-range="24h"]')
  await page.locator('#plot[aria-label*="Rooms, the last 24 hours: 1 now"]').waitFor()
  expect(await page.locator('#summary tbody th').allTextContents()).toEqual([
    'Connections',
    'Members',
    'Rooms',
    'Gateways',
  ])
  /** Whether something is drawn in the colour of the page. */
  const isDrawn = await plot.locator('canvas').evaluate((element) => {
    const canvas = element as HTMLCanvasElement
    const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? {}
    return data?.some((_, i) => i % 4 === 0 && data[i] === 15 && data[i + 1] === 118) ?? false
  })
  expect(isDrawn).toBe(true)
  const { x = 0, y = 0, width = 0 } = (await plot.boundingBox()) ?? {}
  await page.click('.range[data-range="5m"]')
  await page.mouse.move(x + width - 20, y + 60)
  await page
    .locator('#readout')
    .getByText(/^\d\d:\d\d:\d\d · 1$/)
    .waitFor()
})

it('asks for a key where there are keys, and forgets it when told to', async () => {
  const page = await load(presence(guarded))
  await page.locator('#key').waitFor()
  expect(await page.locator('#dashboard').isVisible()).toBe(false)
  await page.click('#key-form [type=submit]')
  await page.getByText('Enter an API key.').waitFor()
  await page.fill('#key', 'not-a-key-of-the-team')
  await page.press('#key', 'Enter')
  await page.getByText('This key was not accepted.').waitFor()
  await page.fill('#key', KEY)
  await page.press('#key', 'Enter')
  await live(page)
  await shows(page, 'gateways', 1)
  expect(await page.locator('#open-notice').isVisible()).toBe(false)
  expect(await page.locator('#replica').textContent()).toContain('presence-0')
  await page.locator('#plot canvas').waitFor()
  expect(page.url()).not.toContain(KEY)

  await page.reload()
  await live(page)
  const kept = await page.evaluate(() => [sessionStorage, localStorage].map(Object.entries))
  expect(kept).toEqual([[['roomcast.key', KEY]], []])
  await page.click('#forget-key')
  await page.locator('#key').waitFor()
  await page.reload()
  await page.locator('#key').waitFor()

  // The browser's own word for each 401; nothing else went wrong.
  expect(pages.flatMap((opened) => opened.faults({ networkErrors: 'ignored' }))).toEqual([])
  expect(pages.flatMap((opened) => opened.faults()).every((words) => words.includes('401'))).toBe(
    true,
  )
  await Promise.all(pages.splice(0).map((opened) => opened[Symbol.asyncDispose]()))
})

it('says that its numbers are old after a break, and comes back by itself with what happened meanwhile', async () => {
  await using proxy = await startProxy(presence(deployment))
  const page = await load(proxy.url)
  await live(page)
  proxy.loseAnswers()
  proxy.cut()
  await page.locator('#state[data-state=reconnecting]').waitFor()
  await page.getByText(/^The connection is lost: these are the numbers of [\d:]+\.$/).waitFor()
  await join(0, 'harbour', 'alice')
  proxy.heal()
  await live(page)
  await shows(page, 'members', 1)
  expect(await page.locator('#banner').isVisible()).toBe(false)
  expect(pages.flatMap((opened) => opened.faults({ networkErrors: 'ignored' }))).toEqual([])
  await Promise.all(pages.splice(0).map((opened) => opened[Symbol.asyncDispose]()))
})

it('speaks Chinese with who prefers it', async () => {
  await join(0, '大厅', '张三')
  const page = await open({ locale: 'zh-CN' })
  expect(await page.getAttribute('html', 'lang')).toBe('zh-Hans')
  expect(await page.title()).toBe('Roomcast 仪表板')
  await page.locator('.room[data-room="大厅"]').waitFor()
  await page.locator('.gateway').getByText('就绪').first().waitFor()
  await page.locator('#plot[aria-label*="连接，最近 5 分钟"]').waitFor()
  await page.fill('#search', '厨房')
  await page.getByText('没有名称包含“厨房”的房间。').waitFor()
  const words = await page.locator('body').innerText()
  const latin = words.match(/[A-Za-z][\w-]+/g)?.filter((word) => !isName(word))
  expect(latin).toEqual([])
})

/** The project's, a setting's, a transport's, a gateway's or a replica's. */
const isName = (word: string): boolean =>
  /^(Roomcast|WebSocket|API_\w+|gateway-\d|[\w.-]*-\d+)$/.test(word)

it('fits a phone: nothing scrolls sideways, and everything can be hit with a finger', async () => {
  await join(0, 'w'.repeat(128), 'alice')
  await join(1, `${'long name '.repeat(12)}end`, 'alice')
  for (const options of [
    PHONE,
    { ...PHONE, viewport: { width: 320, height: 640 }, locale: 'zh' },
  ]) {
    const page = await open(options)
    await page.locator('.room').nth(1).waitFor()
    const found = await page.evaluate((least) => {
      const boxes = [...document.querySelectorAll('button, input, .card, .tile, .room, .gateway')]
        .map((element) => ({ element, box: element.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0)
      const of = (list: typeof boxes): string[] => list.map(({ element }) => element.outerHTML)
      return {
        page: document.documentElement.scrollWidth <= innerWidth,
        outside: of(boxes.filter(({ box }) => box.left < 0 || box.right > innerWidth)),
        small: of(
          boxes.filter(
            ({ element, box }) =>
              element.matches('button, input') && Math.min(box.width, box.height) < least,
          ),
        ),
      }
    }, TARGET_MIN_PX)
    expect(found).toEqual({ page: true, outside: [], small: [] })
  }
})

it.each(['light', 'dark'] as const)(
  'is %s for who prefers it, and can be read',
  async (colorScheme) => {
    await join(0, 'harbour', 'alice')
    const page = await open({ colorScheme, reducedMotion: 'reduce' })
    await page.locator('.room').waitFor()
    const found = await contrasts(page, [
      '.title h1',
      '#replica',
      '#state',
      '.tile-name',
      '.tile-value',
      '.tile-note',
      '#chart-title',
      '#readout',
      '.range[aria-pressed=true]',
      '.range[aria-pressed=false]',
      '.legend .key',
      '.gateway-name',
      '.gateway-state',
      '.detail',
      '.rooms thead th',
      '.room-name',
      '.room-members',
    ])
    expect(found.filter(({ contrast }) => contrast < CONTRAST_MIN)).toEqual([])
    const { behind = Number.NaN } = found[0] ?? {}
    expect(behind < 0.2).toBe(colorScheme === 'dark')
    const part = page.locator('.part').first()
    expect(await part.evaluate((element) => getComputedStyle(element).transitionDuration)).toBe(
      '0s',
    )
  },
)

/** The contrast of each text with what is behind it, whose luminance is `behind`, as the browser computes the colours (WCAG 2.2). */
function contrasts(
  page: Page,
  selectors: readonly string[],
): Promise<{ selector: string; contrast: number; behind: number }[]> {
  return page.evaluate((all) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    if (canvas === null) throw new Error('no canvas')
    const luminance = (colours: readonly string[]): number => {
      for (const colour of colours) {
        canvas.fillStyle = colour
        canvas.fillRect(0, 0, 1, 1)
      }
      const [r = 0, g = 0, b = 0] = [...canvas.getImageData(0, 0, 1, 1).data]
        .slice(0, 3)
        .map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    return all.map((selector) => {
      const text = document.querySelector(selector)
      if (text === null) throw new Error(`no ${selector}`)
      const backgrounds: string[] = []
      for (let at: Element | null = text; at !== null; at = at.parentElement) {
        backgrounds.unshift(getComputedStyle(at).backgroundColor)
      }
      const behind = luminance(backgrounds)
      const front = luminance([getComputedStyle(text).color])
      const contrast = (Math.max(behind, front) + 0.05) / (Math.min(behind, front) + 0.05)
      return { selector, contrast, behind }
    })
  }, selectors)
}
