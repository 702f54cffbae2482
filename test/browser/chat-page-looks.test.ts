import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { startBrowser, type TestBrowser } from '../support/browser.ts'
import { joinRoom, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { openChat, type ChatPage } from './pages/chat-page.ts'

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }
/** What WCAG 2.2 asks of text (1.4.3). */
const CONTRAST_MIN = 4.5
/** The least side of what a finger has to hit, in CSS pixels (WCAG 2.2, 2.5.8). */
const TARGET_MIN_PX = 24

const suite = new AsyncDisposableStack()
let deployment: Deployment
let browser: TestBrowser
const pages: ChatPage[] = []
const clients: TestClient[] = []
const gateway = (): string => deployment.gateways[0]?.url ?? ''
const open = async (options: BrowserContextOptions): Promise<ChatPage> => {
  const page = await openChat(browser, gateway(), {}, options)
  pages.push(page)
  return page
}
const enterByForm = async (chat: ChatPage, room: string, name: string): Promise<void> => {
  await chat.page.fill('form#enter [name=room]', room)
  await chat.page.fill('form#enter [name=name]', name)
  await chat.page.click('form#enter [type=submit]')
  await chat.isLive()
}
const join = async (url: string, room: string, name: string): Promise<TestClient> => {
  const client = await joinRoom(url, room, name)
  clients.push(client)
  return client
}

beforeAll(async () => {
  deployment = suite.use(await startDeployment({ gateways: 1, env: { QUIT_GRACE_MS: '200' } }))
  browser = suite.use(await startBrowser())
}, 60_000)
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  const faults = pages.flatMap((page) => page.faults())
  await Promise.all(pages.splice(0).map((page) => page[Symbol.asyncDispose]()))
  expect(faults).toEqual([])
})
afterAll(() => suite.disposeAsync())

/** All words that the page has for people: texts, labels and placeholders, seen or not. */
function wordsOf(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('body *')].flatMap((element) => {
      const own = [...element.childNodes].flatMap((node) =>
        node.nodeType === Node.TEXT_NODE ? [node.nodeValue ?? ''] : [],
      )
      const attributes = ['aria-label', 'title', 'placeholder'].flatMap(
        (name) => element.getAttribute(name) ?? [],
      )
      return element.closest('noscript') === null ? [...own, ...attributes] : []
    }),
  )
}

it('speaks Chinese with who prefers it', async () => {
  const page = await open({ locale: 'zh-CN' })
  expect(await page.page.getAttribute('html', 'lang')).toBe('zh-Hans')
  expect(await page.page.textContent('form#enter [type=submit]')).toBe('进入房间')
  await page.page.click('form#enter [type=submit]')
  expect(await page.page.textContent('#room-fault')).toBe('请输入房间名。')
  await enterByForm(page, '大厅', '张三')
  await page.notices('join', '张三')
  expect(await page.page.textContent('li.notice')).toContain('张三 加入了房间')
  await page.page.locator('#online').getByText('1 人在线').waitFor()
  await page.page.click('#online')
  await page.page.locator('#people-list').getByText('张三').waitFor()
  await page.page.click('#people-close')
  await page.say('你好')
  await page.shows('你好', 'sent')
  const latin = (await wordsOf(page.page)).filter((words) => /[A-Za-z]{2}/.test(words))
  // The project's name, and addresses.
  expect(latin.filter((words) => !/^Roomcast$|:\/\/|^127\.0\.0\.1/.test(words))).toEqual([])
})

it.each(['en-US', 'fr-FR'])('speaks English with %s, and has no words left out', async (locale) => {
  const page = await open({ locale })
  expect(await page.page.getAttribute('html', 'lang')).toBe('en')
  expect(await page.page.textContent('form#enter [type=submit]')).toBe('Enter room')
  await enterByForm(page, 'lobby', 'alice')
  await page.notices('join', 'alice')
  await page.page.locator('#online').getByText('1 online').waitFor()
  expect((await wordsOf(page.page)).join(' ')).not.toMatch(/undefined|null|NaN|\{\w+\}/)
})

it('fits a phone: nothing scrolls sideways, and everything can be hit with a finger', async () => {
  const phone = await open(PHONE)
  const fits = (): Promise<object> =>
    phone.page.evaluate(() => ({
      page: document.documentElement.scrollWidth <= innerWidth,
      list: (document.querySelector('#scroller') ?? document.body).scrollWidth <= innerWidth,
      outside: [
        ...document.querySelectorAll('button, input, textarea, li, .bubble, .person'),
      ].flatMap((element) => {
        const { left, right } = element.getBoundingClientRect()
        return left < 0 || right > innerWidth ? [element.outerHTML] : []
      }),
    }))
  const FITS = { page: true, list: true, outside: [] }
  expect(await fits()).toEqual(FITS)
  const long = `${'w'.repeat(60)} 漢`
  await enterByForm(phone, `${long} ${long}`, long.slice(0, 64))
  await phone.say('x'.repeat(1_000))
  await phone.say(`https://example.org/${'y'.repeat(500)}`)
  await phone.say(Array.from({ length: 40 }, (_, i) => `line ${i}`).join('\n'))
  await phone.shows('x'.repeat(1_000), 'sent')
  const other = await join(gateway(), `${long} ${long}`, 'n'.repeat(64))
  await other.ask('say', { text: 'z'.repeat(200) })
  await phone.shows('z'.repeat(200))
  expect(await fits()).toEqual(FITS)
  const small = await phone.page.evaluate(
    (least) =>
      [...document.querySelectorAll('button, input, textarea')].flatMap((element) => {
        const { width, height } = element.getBoundingClientRect()
        return width > 0 && Math.min(width, height) < least ? [element.outerHTML] : []
      }),
    TARGET_MIN_PX,
  )
  expect(small).toEqual([])
  await phone.page.click('#online')
  await phone.page.locator('#people-list li').nth(1).waitFor()
  expect(await fits()).toEqual(FITS)
  await phone.page.click('#people-close')
  // The field for the next message is in sight.
  const field = await phone.page.locator('#text').boundingBox()
  expect((field?.y ?? 0) + (field?.height ?? 0)).toBeLessThanOrEqual(PHONE.viewport.height)
})

it.each(['light', 'dark'] as const)(
  'is %s for who prefers it, and can be read',
  async (colorScheme) => {
    const page = await open({ colorScheme })
    const entry = await contrasts(page.page, ['.tagline', '.field label', '.primary'])
    await enterByForm(page, colorScheme, 'alice')
    const other = await join(gateway(), colorScheme, 'bob')
    await other.ask('say', { text: 'from bob: https://example.org/' })
    await page.shows('from bob: https://example.org/')
    await page.say('from alice')
    await page.shows('from alice', 'sent')
    const chat = await contrasts(page.page, [
      '#room-name',
      '#online',
      '#state',
      '#text',
      '.message.own .text',
      '.message.own .meta',
      '.message:not(.own) .text',
      '.message:not(.own) .text a',
      '.message:not(.own) .author',
      '.message:not(.own) .meta',
      '.notice',
      '.avatar',
    ])
    await page.page.click('#online')
    await page.page.locator('#people-list li').nth(1).waitFor()
    chat.push(
      ...(await contrasts(page.page, [
        '.person .who',
        '.person .you',
        '.person .details',
        '#people-close',
      ])),
    )
    const weak = [...entry, ...chat].filter(({ contrast }) => contrast < CONTRAST_MIN)
    expect(weak).toEqual([])
    const { backgroundLuminance = Number.NaN } = chat[0] ?? {}
    expect(backgroundLuminance < 0.2).toBe(colorScheme === 'dark')
  },
)

interface Contrast {
  readonly selector: string
  readonly contrast: number
  readonly backgroundLuminance: number
}

/** The contrast of each text with what is behind it (WCAG 2.2), as the browser computes the colours, whatever notation they have. */
function contrasts(page: Page, selectors: readonly string[]): Promise<Contrast[]> {
  return page.evaluate((all) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    if (canvas === null) throw new Error('no canvas')
    const luminance = (colors: readonly string[]): number => {
      for (const color of colors) {
        canvas.fillStyle = color
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
      return { selector, contrast, backgroundLuminance: behind }
    })
  }, selectors)
}
