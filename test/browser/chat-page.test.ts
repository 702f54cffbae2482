import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { startBrowser, type TestBrowser } from '../support/browser.ts'
import { joinRoom, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { enterRoom, openChat, type ChatPage } from './pages/chat-page.ts'

const suite = new AsyncDisposableStack()
let deployment: Deployment
let browser: TestBrowser
const pages: ChatPage[] = []
const clients: TestClient[] = []
const keep = async (page: Promise<ChatPage>): Promise<ChatPage> => {
  pages.push(await page)
  return page
}
const gateway = (i: number): string => deployment.gateways[i]?.url ?? ''
const enter = (i: number, room: string, name: string): Promise<ChatPage> =>
  keep(enterRoom(browser, gateway(i), { room, name }))
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
  const faults = pages.flatMap((page) => page.faults())
  await Promise.all(pages.splice(0).map((page) => page[Symbol.asyncDispose]()))
  expect(faults).toEqual([])
})
afterAll(() => suite.disposeAsync())

it('who enters by the form and who enters by the address meet across gateways', async () => {
  const alice = await keep(openChat(browser, gateway(0)))
  await alice.page.fill('form#enter [name=room]', 'a room 漢字/?&')
  await alice.page.fill('form#enter [name=name]', 'alice')
  await alice.page.click('form#enter [type=submit]')
  await alice.isLive()
  await alice.counts(1)
  // Whoever copies the address invites others into the room, and not as alice.
  const query = { ...Object.fromEntries(new URL(alice.page.url()).searchParams), name: 'bob' }
  expect(query).toEqual({ room: 'a room 漢字/?&', name: 'bob' })

  const bob = await keep(openChat(browser, gateway(1), query))
  await bob.isLive()
  await alice.notices('join', 'bob')
  await Promise.all([alice.counts(2), bob.counts(2)])
  await alice.say('hello')
  expect(await bob.shows('hello')).toMatchObject({ author: 'alice', isOwn: false })
  await bob.say('hello yourself')
  await alice.shows('hello yourself')

  await bob.page.click('#leave')
  await bob.page.locator('form#enter').waitFor()
  await alice.notices('broadcast_quit', 'bob')
  await alice.counts(1)
  expect(await alice.page.locator('#room-name').textContent()).toBe('a room 漢字/?&')
})

it('shows who is here, and follows who comes and goes', async () => {
  const alice = await enter(0, 'people', 'alice')
  const bob = await join(gateway(1), 'people', 'bob')
  await join(gateway(0), 'people', 'bob')
  await alice.counts(3)
  await alice.page.click('#online')
  const people = alice.page.locator('#people-list li')
  const shown = (): Promise<string[]> => people.allInnerTexts()
  await until('both', async () => (await shown()).length === 2)
  const words = (await shown()).join('\n')
  expect(words).toMatch(/alice[^]*You[^]*since[^]*bob[^]*since[^]*2 connections/)
  bob.close()
  await until('one connection less', async () => !(await shown()).join('').includes('connections'))
  const carol = await join(gateway(1), 'people', '<b>carol</b>')
  await until('a third', async () => (await shown()).length === 3)
  expect((await shown())[2]).toContain('<b>carol</b>')
  carol.close()
  await alice.page.keyboard.press('Escape')
  expect(await alice.page.locator('#people').isVisible()).toBe(false)
})

it('a closed tab is a member who leaves', async () => {
  const alice = await enter(0, 'tabs', 'alice')
  const bob = await enter(1, 'tabs', 'bob')
  await alice.counts(2)
  await bob.page.close()
  await alice.notices('broadcast_quit', 'bob')
  await alice.counts(1)
})

it('own messages are marked, and have their place in the log once they are sent', async () => {
  const alice = await enter(0, 'own', 'alice')
  const bob = await enter(1, 'own', 'bob')
  await alice.say('mine')
  const sent = await alice.shows('mine', 'sent')
  expect(sent).toMatchObject({ author: 'alice', isOwn: true })
  expect(await bob.shows('mine')).toEqual({ ...sent, isOwn: false })
})

it('both pages show what both said at the same time once and in the same order', async () => {
  const alice = await enter(0, 'order', 'alice')
  const bob = await enter(1, 'order', 'bob')
  const numbers = Array.from({ length: 15 }, (_, i) => i)
  const talk = async (page: ChatPage, name: string): Promise<void> => {
    for (const n of numbers) await page.say(`${name} ${n}`)
  }
  await Promise.all([talk(alice, 'alice'), talk(bob, 'bob')])
  for (const page of [alice, bob]) {
    await until('everything', async () => (await page.texts()).length >= 2 * numbers.length)
    await Promise.all(['alice 14', 'bob 14'].map((text) => page.shows(text, 'sent')))
  }
  const texts = await alice.texts()
  expect(await bob.texts()).toEqual(texts)
  expect(texts.toSorted()).toEqual(numbers.flatMap((n) => [`alice ${n}`, `bob ${n}`]).toSorted())
  expect(texts.filter((text) => text.startsWith('bob'))).toEqual(numbers.map((n) => `bob ${n}`))
})

it('markup and script in names, texts and room names is text', async () => {
  const attacks = [
    '<img src=x onerror="window.hacked=1">',
    '<script>window.hacked=1</script>',
    '</li></ol><h1>broken out</h1>',
    '"onmouseover="window.hacked=1',
    '&lt;b&gt; &amp; {{7*7}} ${7*7}',
  ]
  const links = 'javascript:window.hacked=1 https://x.example/"onmouseover="window.hacked=1'
  const room = attacks.join(' ').slice(0, 128)
  const victim = await enter(0, room, attacks[0] ?? '')
  for (const attack of attacks) {
    const attacker = await join(gateway(1), room, attack)
    await attacker.ask('say', { text: `${attack} ${links}` })
    expect(await victim.shows(`${attack} ${links}`)).toMatchObject({ author: attack })
    attacker.close()
    await victim.notices('broadcast_quit', attack)
    await victim.say(attack)
    expect(await victim.shows(attack, 'sent')).toMatchObject({ isOwn: true })
  }
  const found = await victim.page.evaluate(() => ({
    hasRun: Object.hasOwn(window, 'hacked'),
    elements: document.querySelectorAll(
      '#chat :is(img, script, h1:not(#room-name), b, [onerror], [onmouseover], [href^="javascript:" i])',
    ).length,
    outside: document.querySelectorAll('li:not(#messages > li)').length,
  }))
  expect(found).toEqual({ hasRun: false, elements: 0, outside: 0 })
  expect(await victim.page.locator('#room-name').textContent()).toBe(room)
})

it('the policy of the page lets nothing in that is not its own', async () => {
  const stranger = await browser.open()
  const response = await stranger.page.goto(gateway(0))
  const headers = response?.headers() ?? {}
  const policy = headers['content-security-policy'] ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toMatch(/unsafe|\*|https?:/)
  expect(headers['x-content-type-options']).toBe('nosniff')
  expect(stranger.faults()).toEqual([])

  await stranger.page.evaluate(() => {
    const script = document.createElement('script')
    script.textContent = 'window.hacked = 1'
    const image = document.createElement('img')
    image.setAttribute('onerror', 'window.hacked = 1')
    image.src = 'http://127.0.0.2/image'
    document.body.setAttribute('style', 'color: red')
    document.body.append(script, image)
  })
  for (const directive of ['script-src-elem', 'script-src-attr', 'style-src-attr', 'img-src']) {
    await until(`a report of ${directive}`, () =>
      stranger.faults().some((fault) => fault.includes(`policy violated: ${directive} `)),
    )
  }
  expect(await stranger.page.evaluate(() => Object.hasOwn(window, 'hacked'))).toBe(false)
  await stranger[Symbol.asyncDispose]()
})

it('shows what a moderator does: a placeholder, an empty room, and to the one removed why he is out', async () => {
  const moderate = async (method: string, path: string, body?: object): Promise<void> => {
    const response = await fetch(`${deployment.brokers[0]?.url}/v1/rooms/moderated${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    })
    expect(response.ok).toBe(true)
  }
  const alice = await enter(0, 'moderated', 'alice')
  const mallory = await keep(
    enterRoom(browser, gateway(1), { room: 'moderated', name: 'mallory' }, { locale: 'zh-CN' }),
  )
  await mallory.say('something bad')
  const bad = await alice.shows('something bad')
  await alice.say('something good')
  await mallory.shows('something good')
  await moderate('DELETE', `/messages/${bad.offset}`)
  expect(await alice.shows('A moderator deleted this message')).toMatchObject({ author: 'mallory' })
  await mallory.shows('此消息已被管理员删除')
  expect(await alice.texts()).toEqual(['A moderator deleted this message', 'something good'])

  await moderate('DELETE', '')
  for (const page of [alice, mallory]) {
    await page.page.locator('li.notice[data-event=cleared]').waitFor()
    expect(await page.texts()).toEqual([])
  }

  await moderate('POST', '/bans', { user: 'mallory', reason: '<b>spam</b>' })
  await alice.page.getByText('mallory was banned by a moderator: <b>spam</b>').waitFor()
  await mallory.page.locator('form#enter').getByText('管理员已禁止你进入此房间。').waitFor()
  await mallory.page.click('form#enter [type=submit]')
  await mallory.page.locator('#chat').waitFor({ state: 'hidden' })
  await mallory.page.locator('form#enter').getByText('管理员已禁止你进入此房间。').waitFor()
  // Who enters later sees the same.
  const later = await enter(1, 'moderated', 'bob')
  await later.notices('banned', 'mallory')
  expect(await later.texts()).toEqual([])
})

it('an address in a message is a link that gives away nothing', async () => {
  const alice = await enter(0, 'links', 'alice')
  await alice.say('see https://example.org/a?b=c.')
  await alice.shows('see https://example.org/a?b=c.')
  const link = alice.page.locator('#messages a')
  expect(await link.getAttribute('href')).toBe('https://example.org/a?b=c')
  expect(await link.getAttribute('rel')).toContain('noopener noreferrer')
})

it('Enter sends, Shift+Enter makes a line, and an empty message can not be sent', async () => {
  const alice = await enter(0, 'keys', 'alice')
  const { keyboard } = alice.page
  await alice.page.focus('#text')
  await keyboard.press('Enter')
  await keyboard.type('   ')
  await keyboard.press('Enter')
  expect(await alice.page.isDisabled('#send')).toBe(true)
  await alice.page.fill('#text', '')
  await keyboard.type('one')
  await keyboard.press('Shift+Enter')
  await keyboard.type('two')
  expect(await alice.page.inputValue('#text')).toBe('one\ntwo')
  await keyboard.press('Enter')
  await alice.shows('one\ntwo', 'sent')
  expect(await alice.texts()).toEqual(['one\ntwo'])
  expect(await alice.page.inputValue('#text')).toBe('')
})

it('who comes late sees the latest messages, and the others as he scrolls up', async () => {
  const said = Array.from({ length: 130 }, (_, i) => `message ${i}`)
  const robot = await join(gateway(0), 'late', 'robot')
  for (const text of said) await robot.ask('say', { text })
  const bob = await enter(1, 'late', 'bob')
  await bob.shows('message 129')
  expect(await bob.texts()).not.toContain('message 0')
  await bob.page.hover('#scroller')
  await until('the first message', async () => {
    await bob.page.mouse.wheel(0, -2_000)
    return (await bob.texts())[0] === 'message 0'
  })
  expect(await bob.texts()).toEqual(said)
  await robot.ask('say', { text: 'one more' })
  await bob.page.getByRole('button', { name: '1 new message' }).click()
  await bob.shows('one more')
})

it('a reload comes back into the room with what was said', async () => {
  const alice = await enter(0, 'reload', 'alice')
  await alice.say('before')
  await alice.shows('before', 'sent')
  await alice.page.reload()
  await alice.isLive()
  expect(await alice.shows('before')).toMatchObject({ isOwn: true, state: 'sent' })
})

it('everything can be done with the keyboard, and what has the focus is seen', async () => {
  const alice = await keep(openChat(browser, gateway(0)))
  const { keyboard } = alice.page
  const focused = (): Promise<{ id: string; isSeen: boolean }> =>
    alice.page.evaluate(() => {
      const element = document.activeElement ?? document.body
      // The text's frame is drawn by the box around it.
      const isSeen = [element, element.parentElement ?? element].some((shown) => {
        const { outlineStyle, boxShadow } = getComputedStyle(shown)
        return outlineStyle !== 'none' || boxShadow !== 'none'
      })
      return { id: element.id, isSeen }
    })
  await keyboard.press('Enter')
  expect(await alice.page.locator('#room-fault').textContent()).not.toBe('')
  expect(await focused()).toEqual({ id: 'room', isSeen: true })
  await keyboard.type('keyboard')
  await keyboard.press('Tab')
  expect(await focused()).toEqual({ id: 'name', isSeen: true })
  await keyboard.type('alice')
  await keyboard.press('Enter')
  await alice.isLive()
  expect(await focused()).toEqual({ id: 'text', isSeen: true })
  await keyboard.type('typed')
  await keyboard.press('Tab')
  expect(await focused()).toEqual({ id: 'send', isSeen: true })
  await keyboard.press('Enter')
  await alice.shows('typed', 'sent')
  expect(await focused()).toEqual({ id: 'text', isSeen: true })
  const way: string[] = []
  while (way.at(-1) !== 'leave' && way.length < 10) {
    await keyboard.press('Shift+Tab')
    const { id, isSeen } = await focused()
    expect([id, isSeen]).toEqual([id, true])
    way.push(id)
  }
  expect(way).toEqual(['scroller', 'share', 'online', 'leave'])
  await keyboard.press('Enter')
  await alice.page.locator('form#enter').waitFor()
  expect(await focused()).toMatchObject({ id: 'name' })
})
