import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { mintToken, type TokenClaims } from '../../services/gateway/src/auth/minting.ts'
import { startBrowser, type TestBrowser } from '../support/browser.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { openChat, type ChatPage } from './pages/chat-page.ts'

const SECRET = 'a secret that is long enough for a hash'

const suite = new AsyncDisposableStack()
let deployment: Deployment
let browser: TestBrowser
const pages: ChatPage[] = []

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({
      gateways: 1,
      env: { AUTH_JWT_SECRET: SECRET, AUTH_CLOCK_SKEW_MS: '0', QUIT_GRACE_MS: '200' },
    }),
  )
  browser = suite.use(await startBrowser())
}, 60_000)
afterEach(async () => {
  // A client that is refused closes its connection while a poll of it is on the way.
  const faults = pages.flatMap((page) => page.faults({ networkErrors: 'ignored' }))
  await Promise.all(pages.splice(0).map((page) => page[Symbol.asyncDispose]()))
  expect(faults).toEqual([])
})
afterAll(() => suite.disposeAsync())

const nowS = (): number => Math.floor(Date.now() / 1_000)
const tokenOf = (claims: TokenClaims): Promise<string> =>
  mintToken(SECRET, { exp: nowS() + 600, ...claims })
/** Opens the page with a token in the fragment of its address. */
async function open(
  query: Record<string, string>,
  token?: string,
  options: { locale?: string } = {},
): Promise<ChatPage> {
  const url = deployment.gateways[0]?.url ?? ''
  const chat = await openChat(browser, url, query, options)
  pages.push(chat)
  if (token !== undefined) {
    await chat.page.goto('about:blank')
    await chat.page.goto(`${url}/?${new URLSearchParams(query)}#token=${token}`)
  }
  return chat
}
/** What a page does that embeds the chat. */
const renew = async (chat: ChatPage, token: string): Promise<void> => {
  await chat.page.evaluate(`location.hash = ${JSON.stringify(`token=${token}`)}`)
}
const refusal = (chat: ChatPage, words: RegExp): Promise<void> =>
  chat.page.locator('#refusal').getByText(words).waitFor()

it('who has no token is asked for one, in his language, and gets in with it', async () => {
  const chinese = await open({ room: 'asked', name: '小明' }, undefined, { locale: 'zh-CN' })
  await refusal(chinese, /访问令牌/)
  const chat = await open({ room: 'asked', name: 'alice' })
  await refusal(chat, /access token/)
  await chat.page.fill('#token', await tokenOf({ sub: 'u1' }))
  await chat.page.click('form#enter [type=submit]')
  await chat.isLive()
  await chat.say('I am in')
  await chat.shows('I am in', 'sent')
  // It survives a reload, and is nowhere in the address.
  await chat.page.reload()
  await chat.isLive()
  expect(await chat.shows('I am in')).toMatchObject({ isOwn: true })
  expect(chat.page.url()).not.toContain('token')
})

it('a token in the fragment leads straight in under its name, and namesakes are told apart', async () => {
  const one = await open({ room: 'named' }, await tokenOf({ sub: 'u1', name: 'alice' }))
  await one.isLive()
  expect(one.page.url()).not.toContain('token')
  const two = await open({ room: 'named' }, await tokenOf({ sub: 'u2', name: 'alice' }))
  await two.isLive()
  await one.say('from one')
  expect(await two.shows('from one')).toMatchObject({ author: 'alice', isOwn: false })
  expect(await one.shows('from one', 'sent')).toMatchObject({ author: 'alice', isOwn: true })
})

it('in a room that may be read alone nothing can be written, until a new token allows it', async () => {
  const rooms = [{ pattern: '*', read: true, write: false }]
  const chat = await open({ room: 'reading' }, await tokenOf({ sub: 'u', name: 'bob', rooms }))
  await chat.isLive()
  const field = chat.page.locator('#text')
  await chat.page.locator('#text:disabled').waitFor()
  expect(await field.getAttribute('placeholder')).toMatch(/read/)
  const token = await tokenOf({ sub: 'u', name: 'bob' })
  await renew(chat, token)
  await chat.page.locator('#text:enabled').waitFor()
  await chat.say('now')
  await chat.shows('now', 'sent')
})

it('who may not read a room is told so, and one whose token ends is asked for a new one', async () => {
  const rooms = [{ pattern: 'other', read: true, write: true }]
  const barred = await open({ room: 'mine' }, await tokenOf({ sub: 'u', name: 'bob', rooms }))
  await refusal(barred, /does not allow/)
  const chat = await open({ room: 'mine' }, await tokenOf({ sub: 'u', name: 'bob' }))
  await chat.isLive()
  await renew(chat, await tokenOf({ sub: 'u', name: 'bob', exp: nowS() + 5 }))
  await refusal(chat, /expired/)
})
