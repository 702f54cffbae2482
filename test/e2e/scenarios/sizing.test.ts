import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { entranceOf, type Entrance } from '../support/entrance.ts'
import { createNamespace, type Namespace } from '../support/namespace.ts'
import { install, over, SMALL, type Release } from '../support/release.ts'
import { record } from '../support/report.ts'
import { enterSquad } from '../support/squad.ts'
import { usageOf, type Usage } from '../support/usage.ts'

jest.setTimeout(600_000)

/** Idle members at which memory is read: what one takes is the slope between the two. */
const MEMBERS = [1_000, 3_000] as const
/** What collectors and allocators may need to come to rest, in milliseconds: memory is read at a fixed time after the last join. */
const REST_MS = 15_000
const TALK_MS = 20_000
/** How the members talk. */
const TALKS = [
  { id: 'small', rooms: 300, per: 10, perSecond: 300 },
  { id: 'large', rooms: 3, per: 1_000, perSecond: 15 },
] as const
const COMPONENTS = ['gateway', 'broker', 'presence', 'valkey'] as const
type Usages = Readonly<Record<(typeof COMPONENTS)[number], Usage>>

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
      gateway: { replicas: 1 },
      broker: { replicas: 1 },
      presence: { replicas: 1 },
    }),
  )
  await entrance.isOpen(1)
})
afterAll(() => suite.disposeAsync())

async function usages(): Promise<Usages> {
  const entries = COMPONENTS.map(async (component) => {
    const [pod] = await release.pods(component)
    if (pod === undefined) throw new Error(`there is no ${component}`)
    return [component, await usageOf(namespace, pod)] as const
  })
  return Object.fromEntries(await Promise.all(entries)) as Usages
}

/** What the store says that it holds, in bytes. */
async function stored(): Promise<number> {
  const [pod] = await release.pods('valkey')
  const info = ['exec', pod?.metadata.name ?? '', '--', 'valkey-cli', 'info', 'memory']
  return Number(/^used_memory:(\d+)/m.exec(await namespace.kubectl(...info))?.[1])
}

const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MiB`
const kb = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} KB`

it('memory of a pod: empty, and for each idle member', async () => {
  await pause(REST_MS)
  const empty = await usages()
  const read: Usages[] = []
  await using stack = new AsyncDisposableStack()
  let before = 0
  for (const members of MEMBERS) {
    stack.use(
      await enterSquad(entrance.url, {
        members: members - before,
        rooms: (members - before) / 10,
        run: `idle-${members}`,
      }),
    )
    before = members
    await pause(REST_MS)
    read.push(await usages())
  }
  const [few, many] = read
  if (few === undefined || many === undefined) throw new Error('nothing was read')
  const each = (component: keyof Usages, figure: 'workingSetBytes' | 'residentBytes'): number =>
    (many[component][figure] - few[component][figure]) / (MEMBERS[1] - MEMBERS[0])
  for (const component of COMPONENTS) {
    await record({
      id: `memory-${component}`,
      what: `memory of a pod of ${component}`,
      measured: [
        `empty ${mib(empty[component].workingSetBytes)} of its cgroup, ${mib(empty[component].residentBytes)} resident`,
        `with ${MEMBERS[1].toLocaleString('en')} idle members in rooms of ten ${mib(many[component].workingSetBytes)} and ${mib(many[component].residentBytes)}`,
        `for each member beyond ${MEMBERS[0].toLocaleString('en')}: ${kb(each(component, 'workingSetBytes'))} of its cgroup, ${kb(each(component, 'residentBytes'))} resident`,
        `limit ${mib(many[component].limitBytes)}`,
      ].join('; '),
      target: 'under its limit',
      isMet: many[component].peakBytes < many[component].limitBytes,
    })
  }
  expect(each('gateway', 'workingSetBytes')).toBeGreaterThan(0)
})

it.each(TALKS)('CPU for each delivery, $rooms rooms of $per', async (talk) => {
  const { id, rooms, per, perSecond } = talk
  await using squad = await enterSquad(entrance.url, { members: rooms * per, rooms, run: id })
  await pause(REST_MS)
  const [idle, idleAt] = [await usages(), performance.now()]
  await pause(TALK_MS)
  const [before, beforeAt] = [await usages(), performance.now()]
  const storedBefore = await stored()
  await squad.talk({ perSecond, textBytes: 64 })
  await pause(TALK_MS)
  // All of it is with everybody before the clocks are read.
  const { violations } = await squad.finish(await squad.hush())
  const [after, afterAt] = [await usages(), performance.now()]
  const { deliveries, acknowledged } = await squad.progress()
  const storedEach = ((await stored()) - storedBefore) / acknowledged
  /** Of a core, without a word said: pings, reports, counts, probes. */
  const silent = (component: keyof Usages): number =>
    (before[component].cpuMs - idle[component].cpuMs) / (beforeAt - idleAt)
  /** Beyond what the same time costs in silence. */
  const cpuUs = (component: keyof Usages): number =>
    1_000 *
    (after[component].cpuMs - before[component].cpuMs - silent(component) * (afterAt - beforeAt))
  await record({
    id: `cpu-${id}`,
    what: `CPU in pods, ${rooms} rooms of ${per} at ${perSecond} messages a second in all`,
    measured: [
      `for each delivery the gateway ${(cpuUs('gateway') / deliveries).toFixed(1)} us`,
      `for each message ${COMPONENTS.map((component) => `${component} ${(cpuUs(component) / acknowledged).toFixed(0)} us`).join(', ')}`,
      `the store takes ${storedEach.toFixed(0)} bytes for each`,
      `silent, of a core: ${COMPONENTS.map((component) => `${component} ${(100 * silent(component)).toFixed(1)} %`).join(', ')}`,
      `${acknowledged} messages, ${deliveries} deliveries`,
    ].join('; '),
    target: 'no violation',
    isMet: violations === 0,
  })
  expect(deliveries).toBeGreaterThan(0)
  expect(violations).toBe(0)
})
