// What is given to `evaluate` runs in the page.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type BrowserContextOptions, type Page } from 'playwright-core'

/** A real Chromium, one for a suite. */
export interface TestBrowser extends AsyncDisposable {
  /** A page of its own: nothing is shared with other pages, neither storage nor cookies. */
  open(options?: BrowserContextOptions): Promise<TestPage>
}

export interface TestPage extends AsyncDisposable {
  readonly page: Page
  /**
   * What went wrong in the page so far: uncaught errors, console errors, and violations of its Content-Security-Policy. That the network
   * failed is among them only as far as `networkErrors` is not `ignored`: a page can't keep the browser from reporting it.
   */
  faults(options?: { readonly networkErrors?: 'ignored' }): string[]
  /** Texts of the websocket messages that the page sent so far, all connections together. */
  readonly sent: readonly string[]
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
/** How long a page may take for one step, in milliseconds. */
const STEP_TIMEOUT_MS = 15_000

/** The Chromium of `CHROMIUM_PATH`, else the first on the path. Throws when there is none. */
function chromiumPath(): string {
  const given = process.env['CHROMIUM_PATH']
  if (given !== undefined && given !== '') return given
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram)
  if (found === undefined) throw new Error(`none of ${NAMES.join(', ')} is on the PATH`)
  return found
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    // Absent, or not for us to run.
    return false
  }
}

export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({ executablePath: chromiumPath(), args: ARGS })
  return {
    async open(options = {}) {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        locale: 'en-GB',
        ...options,
      })
      context.setDefaultTimeout(STEP_TIMEOUT_MS)
      const page = await context.newPage()
      const faults = await watchFaults(page)
      return {
        page,
        faults: ({ networkErrors } = {}) =>
          faults
            .filter(({ isNetwork }) => !isNetwork || networkErrors !== 'ignored')
            .map(({ words }) => words),
        sent: watchSent(page),
        [Symbol.asyncDispose]: () => context.close(),
      }
    },
    [Symbol.asyncDispose]: () => browser.close(),
  }
}

interface Fault {
  readonly words: string
  readonly isNetwork: boolean
}

/** The browser's own reports of requests and connections that failed. */
const NETWORK_ERROR = /^Failed to load resource: |^WebSocket connection to '\S+' failed/

async function watchFaults(page: Page): Promise<readonly Fault[]> {
  const faults: Fault[] = []
  page.on('pageerror', (error) => faults.push({ words: `uncaught: ${error}`, isNetwork: false }))
  page.on('console', (message) => {
    if (message.type() !== 'error') return
    const text = message.text()
    faults.push({ words: `console: ${text}`, isNetwork: NETWORK_ERROR.test(text) })
  })
  await page.exposeFunction('reportViolation', (words: string) => {
    faults.push({ words: `policy violated: ${words}`, isNetwork: false })
  })
  await page.addInitScript(() => {
    const { reportViolation } = window as unknown as { reportViolation(words: string): void }
    addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
      reportViolation(`${effectiveDirective} by ${blockedURI}`),
    )
  })
  return faults
}

function watchSent(page: Page): readonly string[] {
  const sent: string[] = []
  page.on('websocket', (websocket) => {
    websocket.on('framesent', ({ payload }) => sent.push(payload.toString()))
  })
  return sent
}
