import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { joinRoom } from '../support/clients.ts'
import { gather, type Conclusion, type Crowd } from './support/crowd.ts'
import { entranceOf, type Entrance } from './support/entrance.ts'
import { createNamespace, type Namespace } from './support/namespace.ts'
import { install, over, SMALL, type Release, type Values } from './support/release.ts'
import { report, seconds, timed } from './support/report.ts'

jest.setTimeout(420_000)

const MEMBERS = 30
/** Two thirds end up on a websocket, one third stays with long polling. */
const TRANSPORTS = [['polling', 'websocket'], ['websocket'], ['polling']] as const

const suite = new AsyncDisposableStack()
let namespace: Namespace
let entrance: Entrance
let release: Release
let values: Values
beforeAll(async () => {
  namespace = suite.use(await createNamespace())
  entrance = entranceOf(namespace)
  values = over(SMALL, entrance.values)
  release = await install(namespace, values)
  await entrance.isOpen()
})
afterAll(() => suite.disposeAsync())

const talkIn = (room: string): Promise<Crowd> =>
  gather(
    entrance.url,
    { ...entrance.options, room },
    { size: MEMBERS, transports: TRANSPORTS.map((transports) => [...transports]) },
  )

function reportTalk(scenario: string, took: string, conclusion: Conclusion): void {
  const { acknowledged, lost, doubled, recovered, rejoined, longestAwayMs } = conclusion
  report(
    scenario,
    `${took}; ${acknowledged} messages acknowledged to ${MEMBERS} members meanwhile: ${lost} lost, ${doubled} doubled`,
    `connections that came back: ${recovered} recovered, ${rejoined} joined anew; the longest was away for ${seconds(longestAwayMs)}`,
  )
}

/** By Helm: what `kubectl scale` has set, the next upgrade by Helm 4 would not touch, and fail. */
const scale = async (replicas: number): Promise<void> => {
  await release.upgrade(over(values, { gateway: { replicas } }))
  await release.settles('gateway', replicas)
}

it('gateways are added while people talk, and nobody notices', async () => {
  await using crowd = await talkIn('up')
  const [, ms] = await timed(() => scale(5))
  const conclusion = await crowd.conclude()
  reportTalk('scale up', `3 to 5 gateways: all ready after ${seconds(ms)}`, conclusion)
  expect(conclusion).toMatchObject({ lost: 0, doubled: 0, recovered: 0, rejoined: 0 })
})

it('gateways are taken away while people talk: they move, and no message is lost or doubled', async () => {
  await using crowd = await talkIn('down')
  await using log = release.follow('gateway')
  const [, ms] = await timed(() => scale(2))
  const conclusion = await crowd.conclude()
  reportTalk('scale down', `5 to 2 gateways: the last has ended after ${seconds(ms)}`, conclusion)
  expect(conclusion).toMatchObject({ lost: 0, doubled: 0 })
  const drains = [...log.output().matchAll(/"tookMs":([\d.]+),"msg":"closed all connections"/g)]
  report(
    'scale down',
    `connections closed over ${drains.map((d) => seconds(Number(d[1]))).join(', ')}`,
  )
  // Three of five gateways went: somebody was on them. One without connections ends at once, and its last line may be missed.
  const ended = log.output().match(/"msg":"ended"/g)?.length ?? 0
  expect(drains.length).toBeGreaterThan(0)
  expect(ended).toBeGreaterThanOrEqual(drains.length)
  expect(conclusion.recovered + conclusion.rejoined).toBeGreaterThan(0)
})

it('an upgrade replaces every pod while people talk; messages, secrets and the store stay', async () => {
  const before = await secrets()
  const [store] = await release.pods('valkey')
  await using crowd = await talkIn('upgrade')
  const old = await uids()
  const [, ms] = await timed(async () => {
    await release.upgrade(over(values, { podAnnotations: { revision: '2' } }))
    await release.settles('gateway', 3)
  })
  const conclusion = await crowd.conclude()
  reportTalk('upgrade', `every pod replaced after ${seconds(ms)}`, conclusion)
  expect(conclusion).toMatchObject({ lost: 0, doubled: 0 })
  expect((await uids()).filter((uid) => old.includes(uid))).toEqual([])
  expect(await secrets()).toEqual(before)
  const [sameStore] = await release.pods('valkey')
  expect(sameStore?.metadata.uid).toBe(store?.metadata.uid)

  // What was said before the upgrade is there for whoever comes now.
  const late = await joinRoom(entrance.url, 'up', 'late', entrance.options)
  try {
    const { messages } = await late.ask<{ messages: readonly unknown[] }>('history', {})
    report('upgrade', `messages of before the upgrade on the latest page: ${messages.length}`)
    expect(messages.length).toBeGreaterThan(0)
  } finally {
    late.close()
  }
})

it('after all that helm test finds no fault', async () => {
  expect(await release.test()).toMatchObject({
    isOk: true,
    stdout: expect.stringContaining('Roomcast works'),
  })
})

async function uids(): Promise<readonly string[]> {
  const pods = await Promise.all(
    (['gateway', 'broker', 'presence'] as const).map((component) => release.pods(component)),
  )
  return pods.flat().map(({ metadata }) => metadata.uid)
}

async function secrets(): Promise<Readonly<Record<string, unknown>>> {
  interface Secret {
    readonly metadata: { readonly name: string }
    readonly type: string
    readonly data: unknown
  }
  const all = await namespace.list<Secret>('secrets')
  return Object.fromEntries(
    all.flatMap(({ metadata, type, data }) => (type === 'Opaque' ? [[metadata.name, data]] : [])),
  )
}
