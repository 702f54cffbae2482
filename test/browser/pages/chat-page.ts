import type { BrowserContextOptions } from 'playwright-core'
import type { TestBrowser, TestPage } from '../../support/browser.ts'
import { until } from '../../support/processes.ts'

/** A message as the chat page shows it. */
export interface ShownMessage {
  readonly author: string
  readonly text: string
  readonly isOwn: boolean
  readonly state: string
  /** Undefined while the log does not have it. */
  readonly offset: string | undefined
}

/** The chat page, as a person sees and uses it. */
export interface ChatPage extends TestPage {
  /** Resolves when the page says that it is connected and knows what was said before. */
  isLive(): Promise<void>
  messages(): Promise<ShownMessage[]>
  texts(): Promise<string[]>
  /** Resolves with the message of this text when it is shown, in this state if one is given. */
  shows(text: string, state?: string): Promise<ShownMessage>
  /** Writes a message and presses Enter. */
  say(text: string): Promise<void>
  /** Resolves when the notice of a join, a quit or a removal is there. */
  notices(event: 'join' | 'broadcast_quit' | 'kicked' | 'banned', name: string): Promise<void>
  /** Resolves when the page says so many are online. */
  counts(online: number): Promise<void>
}

/** Opens the chat page of a gateway; `query` as in its address. */
export async function openChat(
  browser: TestBrowser,
  gatewayUrl: string,
  query: Record<string, string> = {},
  options: BrowserContextOptions = {},
): Promise<ChatPage> {
  const opened = await browser.open(options)
  const { page } = opened
  await page.goto(`${gatewayUrl}/?${new URLSearchParams(query)}`)

  const messages = (): Promise<ShownMessage[]> =>
    page.locator('#messages li.message').evaluateAll((items) =>
      items.map((item) => ({
        author: item.querySelector('.author')?.textContent ?? '',
        text: item.querySelector('.text')?.textContent ?? '',
        isOwn: item.dataset['own'] === 'true',
        state: item.dataset['state'] ?? '',
        offset: item.dataset['offset'],
      })),
    )

  return {
    ...opened,
    async isLive() {
      await page.locator('#state[data-state=live]').waitFor()
      await page.locator('#messages[aria-busy=false]').waitFor({ state: 'attached' })
    },
    messages,
    texts: async () => (await messages()).map(({ text }) => text),
    shows: (text, state) =>
      until(`the message ${text} in ${page.url()}`, async () =>
        (await messages()).find(
          (shown) => shown.text === text && (state === undefined || shown.state === state),
        ),
      ),
    async say(text) {
      await page.fill('#text', text)
      await page.press('#text', 'Enter')
    },
    async notices(event, name) {
      await page
        .locator(`li.notice[data-event=${event}] .who`)
        .getByText(name, { exact: true })
        .first()
        .waitFor({ state: 'attached' })
    },
    async counts(online) {
      await page.locator(`#online[data-online="${online}"]`).waitFor()
    },
  }
}

/** Opens the chat page in a room, by its address. */
export async function enterRoom(
  browser: TestBrowser,
  gatewayUrl: string,
  visit: { readonly room: string; readonly name: string },
  options: BrowserContextOptions = {},
): Promise<ChatPage> {
  const chat = await openChat(browser, gatewayUrl, visit, options)
  await chat.isLive()
  return chat
}
