import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { enterRoom } from '../browser/pages/chat-page.ts'
import { startBrowser, type TestBrowser } from '../support/browser.ts'
import { until } from '../support/processes.ts'
import { clusterWide, createNamespace, GONE_MS, type Namespace } from './support/namespace.ts'
import { install, type Release } from './support/release.ts'
import { report, seconds, timed } from './support/report.ts'
import { watchStarts } from './support/starts.ts'

jest.setTimeout(300_000)

/** From `helm install` until two people talk, the image being there. In milliseconds. */
const CHATTING_MS = 60_000
/** From the start of a container until its pod is ready, in milliseconds; the watch shows up to a second too much. */
const READY_MS = 4_000
/** Presence waits for the gateways that it does not know yet: `warmupMs`, its lease of 3 s and a second more. */
const PRESENCE_READY_MS = READY_MS + 4_000

const suite = new AsyncDisposableStack()
let namespace: Namespace
let browser: TestBrowser
let release: Release
let before: readonly string[]
beforeAll(async () => {
  namespace = suite.use(await createNamespace())
  browser = suite.use(await startBrowser())
  // What Kubernetes puts into every namespace comes a moment later.
  before = await until('an account and a certificate', async () => {
    const contents = await namespace.contents()
    return contents.length >= 2 && contents
  })
})
afterAll(() => suite.disposeAsync())

it('an installation with nothing set leads to a chat in two browsers by port-forward', async () => {
  const started = performance.now()
  release = await install(namespace)
  const installed = performance.now()
  await using forward = await namespace.forward(`service/${release.named('gateway')}`, 80)
  await using alice = await enterRoom(browser, forward.url, { room: 'lobby', name: 'alice' })
  await using bob = await enterRoom(browser, forward.url, { room: 'lobby', name: 'bob' })
  await alice.say('hello')
  await bob.shows('hello')
  const chatting = performance.now()
  await bob.say('hello yourself')
  await alice.shows('hello yourself', 'sent')
  await Promise.all([alice.counts(2), bob.counts(2)])
  expect([...alice.faults(), ...bob.faults()]).toEqual([])
  report(
    'install',
    `helm install until all is ready: ${seconds(installed - started)}`,
    `helm install until two browsers chat: ${seconds(chatting - started)} (at most ${seconds(CHATTING_MS)})`,
  )
  expect(chatting - started).toBeLessThan(CHATTING_MS)
})

it('helm test tries it from inside', async () => {
  const [outcome, ms] = await timed(() => release.test())
  expect(outcome).toMatchObject({
    isOk: true,
    stdout: expect.stringContaining('Roomcast works'),
  })
  report('install', `helm test: ${seconds(ms)}`)
})

it('a pod that starts anew is ready within seconds', async () => {
  await using starts = watchStarts(namespace)
  const components = ['gateway', 'broker', 'presence'] as const
  const replicas = { gateway: 3, broker: 2, presence: 2 }
  await until('the pods that are there', () =>
    components.every((component) => starts.of(component).length === replicas[component]),
  )
  // One pod after another, as when nodes fail, so that what is measured is its own start.
  for (const component of components) {
    const [pod] = await release.pods(component)
    await namespace.kubectl('delete', 'pod', pod?.metadata.name ?? '', '--wait=false')
    await until(
      `a new pod of ${component}`,
      () => starts.of(component).length > replicas[component],
      60_000,
    )
  }
  for (const component of components) {
    const ms = starts.of(component).at(-1) ?? Number.NaN
    const limit = component === 'presence' ? PRESENCE_READY_MS : READY_MS
    report('install', `${component}, start of the container until ready: at most ${seconds(ms)}`)
    expect(ms).toBeLessThan(limit)
  }
})

it('after helm uninstall nothing is left', async () => {
  const [, ms] = await timed(async () => {
    await release.uninstall()
    await until(
      'the end of all pods',
      async () => (await namespace.list('pods')).length === 0,
      GONE_MS,
    )
  })
  const left = (await namespace.contents()).filter((object) => !before.includes(object))
  const leftOutside = await clusterWide(namespace)
  report(
    'uninstall',
    `until the last pod is gone: ${seconds(ms)}`,
    `objects left: ${left.length} in the namespace, ${leftOutside.length} outside`,
  )
  expect([...left, ...leftOutside]).toEqual([])
})
