import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { until } from '../../support/processes.ts'
import { entranceOf, type Entrance } from '../support/entrance.ts'
import { createNamespace, type Namespace } from '../support/namespace.ts'
import { reaperIn } from '../support/reaper.ts'
import { install, isReady, over, SMALL, type Component, type Release } from '../support/release.ts'
import { record, report, seconds } from '../support/report.ts'
import { enterSquad } from '../support/squad.ts'
import { usageOf } from '../support/usage.ts'

jest.setTimeout(600_000)

/** Clients of the storm. */
const CLIENTS = Number(process.env['E2E_STORM_CLIENTS'] ?? 5_000)
const ROOM = 10
/** Messages a second of all of them together. */
const PER_SECOND = 50
const GATEWAYS = 3
/** New connections that a gateway takes in a second for long, and as many at once: the chart's default. */
const ADMITTED = Number(process.env['E2E_STORM_RATE'] ?? 1_000)
const BACK_MS = 30_000
/** After which the storm is given up, in milliseconds. */
const LIMIT_MS = 180_000
const COMPONENTS = ['gateway', 'broker', 'presence', 'valkey'] as const

const suite = new AsyncDisposableStack()
let namespace: Namespace
let entrance: Entrance
let release: Release
beforeAll(async () => {
  namespace = suite.use(await createNamespace())
  entrance = entranceOf(namespace, { isForAll: true })
  release = await install(
    namespace,
    over(over(SMALL, entrance.values), {
      limits: { connectRatePerGateway: ADMITTED },
    }),
  )
  await entrance.isOpen(GATEWAYS)
})
afterAll(() => suite.disposeAsync())

/** The highest memory of a component's pods, as a part of their limit. */
async function fullest(component: Component): Promise<{ peakMiB: number; share: number }> {
  const pods = await release.pods(component)
  const usages = await Promise.all(pods.map((pod) => usageOf(namespace, pod)))
  return {
    peakMiB: Math.max(...usages.map(({ peakBytes }) => peakBytes)) / 1_048_576,
    share: Math.max(...usages.map(({ peakBytes, limitBytes }) => peakBytes / limitBytes)),
  }
}

it('every gateway is killed at once, and all clients come back', async () => {
  const reaper = reaperIn(namespace)
  // The reaper has to be there before.
  const [presence] = await release.pods('presence')
  if (presence === undefined) throw new Error('there is no presence')
  await reaper.prepare(presence)
  await using squad = await enterSquad(entrance.url, {
    members: CLIENTS,
    rooms: CLIENTS / ROOM,
    run: namespace.name,
  })
  await squad.talk({ perSecond: PER_SECOND, textBytes: 64 })
  await until('some talk', async () => (await squad.progress()).acknowledged > PER_SECOND)
  const gateways = await release.pods('gateway')
  await reaper.kill(...gateways)
  const began = performance.now()
  const elapsed = (): number => performance.now() - began
  await until('the storm', async () => (await squad.progress()).disconnects === CLIENTS, LIMIT_MS)
  let openMs: number | undefined
  let halfMs: number | undefined
  const returns: { readonly atMs: number; readonly connected: number }[] = []
  await until(
    'all to be back',
    async () => {
      const { connected } = await squad.progress()
      returns.push({ atMs: elapsed(), connected })
      if (connected > 0) openMs ??= elapsed()
      if (connected >= CLIENTS / 2) halfMs ??= elapsed()
      return connected === CLIENTS
    },
    LIMIT_MS,
  ).catch(() => undefined)
  const backMs = elapsed()
  const mostInASecond = Math.max(
    ...returns.map(({ atMs, connected }) => {
      const before = returns.findLast((earlier) => earlier.atMs <= atMs - 1_000)
      return connected - (before?.connected ?? 0)
    }),
  )
  const ends = await squad.hush()
  const { violations, examples } = await squad.finish(ends)
  const { connected, recovered, told, refused, acknowledged } = await squad.progress()
  const peaks = await Promise.all(
    COMPONENTS.map(async (component) => ({ component, ...(await fullest(component)) })),
  )
  const pods = await release.pods('gateway')
  const restarts = pods.map(({ status }) => status.containerStatuses?.[0]?.restartCount ?? 0)
  for (const example of examples) report('storm', example)
  const isMet =
    connected === CLIENTS &&
    backMs <= BACK_MS &&
    violations === 0 &&
    restarts.every((count) => count === 1) &&
    peaks.every(({ share }) => share < 1)
  await record({
    id: 'storm',
    what: `every gateway killed with -9 at once, ${CLIENTS.toLocaleString('en')} clients`,
    measured: [
      `the first back after ${openMs === undefined ? 'no time' : seconds(openMs)}, half after ${halfMs === undefined ? 'no time' : seconds(halfMs)}, ${connected === CLIENTS ? 'all' : connected} after ${seconds(backMs)}`,
      `at most ${mostInASecond} came back in a second, ${ADMITTED} being what each gateway takes`,
      `${recovered} recovered, ${told} told that they are not`,
      `${acknowledged} messages acknowledged, ${violations} violations, refused meanwhile: ${JSON.stringify(refused)}`,
      `highest memory: ${peaks.map(({ component, peakMiB, share }) => `${component} ${peakMiB.toFixed(0)} MiB (${(100 * share).toFixed(0)} % of its limit)`).join(', ')}`,
      `restarts of the gateways: ${restarts.join(', ')}`,
    ].join('; '),
    target: `all back within ${seconds(BACK_MS)}, nothing lost, doubled or out of order, no process over its memory limit`,
    isMet,
  })
  expect(pods.every(isReady)).toBe(true)
  expect({ backMs, connected, violations, restarts, peaks, isMet }).toMatchObject({ isMet: true })
})
