import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { violationLines } from '../../../scripts/chaos/table.ts'
import { until } from '../../support/processes.ts'
import { entranceOf, type Entrance } from '../support/entrance.ts'
import { connectionsOf, watchGateways, type GatewayState } from '../support/gateways.ts'
import { connectIdle } from '../support/idle.ts'
import { createNamespace, type Namespace } from '../support/namespace.ts'
import { install, isReady, over, SMALL, type Release } from '../support/release.ts'
import { record, seconds } from '../support/report.ts'
import { flows, startTraffic } from '../support/traffic.ts'

jest.setTimeout(900_000)

/** Where the picture's figures go; unset for nowhere. */
const SAMPLES = process.env['E2E_SAMPLES']
const CONNECTIONS_PER_GATEWAY = 100
const GATEWAYS = { least: 2, most: 4 } as const
/** Members who talk from the beginning to the end. */
const TALKING = 60
/** Clients that come when it is full, by long polling and upgrade: each has the cookie of an old gateway. */
const COMING = 290
/** How many of those stay on each gateway when they go: the last two are emptiest then. */
const STAYING = [30, 20, 0, 0] as const
/** How long an autoscaler may take to follow, in milliseconds. */
const FOLLOW_MS = 240_000
/** From when the new gateways are ready until they have their share, in milliseconds. */
const SHARE_MS = 60_000
/** How far from the mean a gateway may be then, as a part of it. */
const SHARE = 0.25

const suite = new AsyncDisposableStack()
let namespace: Namespace
let entrance: Entrance
let release: Release
beforeAll(async () => {
  namespace = suite.use(await createNamespace())
  entrance = entranceOf(namespace)
  release = await install(
    namespace,
    over(over(SMALL, entrance.values), {
      gateway: { drain: { spreadSeconds: 10 } },
      broker: { settings: { historySize: 100_000 } },
      presence: { rebalance: { enabled: true, batchPercent: 25, intervalSeconds: 5 } },
      autoscaling: {
        type: 'connections',
        minReplicas: GATEWAYS.least,
        maxReplicas: 6,
        connectionsPerGateway: CONNECTIONS_PER_GATEWAY,
        behavior: {
          scaleDown: {
            // What a deletion costs is written within some 10 seconds.
            stabilizationWindowSeconds: 30,
            policies: [{ type: 'Pods', value: 6, periodSeconds: 15 }],
          },
        },
      },
    }),
  )
  // Before the namespace goes: an APIService without anybody behind it would hold that up.
  suite.defer(() => release.uninstall())
  await release.settles('gateway', GATEWAYS.least)
  await entrance.isOpen(GATEWAYS.least)
})
afterAll(() => suite.disposeAsync())

it('two gateways become four and two again; each has its share, the emptiest go, and nobody notices', async () => {
  await using traffic = await startTraffic('scaling', TALKING, { namespace, release, entrance })
  await using watch = await watchGateways(namespace, release)
  const events: { seconds: number; label: string }[] = []
  const happened = (label: string): void => void events.push({ seconds: watch.seconds(), label })
  await flows(traffic)
  const ready = async (): Promise<number> => (await release.pods('gateway')).filter(isReady).length

  happened(`${COMING} clients come`)
  using clients = await connectIdle(entrance.url, COMING, {
    ...entrance.options,
    transports: ['polling', 'websocket'],
  })
  const began = watch.seconds()
  await until(`${GATEWAYS.most} gateways`, async () => (await ready()) === GATEWAYS.most, FOLLOW_MS)
  const readyAt = watch.seconds()
  happened(`${GATEWAYS.most} gateways ready`)

  const total = TALKING + COMING
  const mean = total / GATEWAYS.most
  /** The furthest from the mean, as a part of it. Those who are on the way are on no gateway. */
  const unevenness = (gateways: readonly GatewayState[]): number =>
    Math.max(...gateways.map((gateway) => Math.abs(connectionsOf(gateway) - mean) / mean))
  let evenAt: number | undefined
  await until(
    'the share to be looked at',
    async () => {
      const gateways = await watch.now()
      if (gateways.length === GATEWAYS.most && unevenness(gateways) <= SHARE)
        evenAt ??= watch.seconds()
      return watch.seconds() >= readyAt + SHARE_MS / 1_000
    },
    2 * SHARE_MS,
  )
  const spread = (await watch.now()).map(connectionsOf)
  const furthest = Math.max(...spread.map((count) => Math.abs(count - mean) / mean))
  const moves = clients.moves()
  const isShared = spread.length === GATEWAYS.most && furthest <= SHARE
  await record({
    id: 'autoscaling-up',
    what: 'autoscaling on connections, 2 gateways to 4, affinity and rebalancing on',
    measured: `${total} connections at ${CONNECTIONS_PER_GATEWAY} each: 4 gateways ready after ${seconds(1_000 * (readyAt - began))}; ${spread.join(', ')} connections ${SHARE_MS / 1_000} s later, ${(100 * furthest).toFixed(0)} % from the mean at most; within ${100 * SHARE} % after ${evenAt === undefined ? 'more than that' : seconds(1_000 * (evenAt - readyAt))}; ${moves} of ${COMING} clients moved, ${clients.told()} were told that they are not recovered`,
    target: `within ${100 * SHARE} % of the mean ${SHARE_MS / 1_000} s after the new ones are ready; everybody recovered`,
    isMet: isShared && clients.told() === 0,
  })

  happened('most clients go')
  const fullest = (await watch.now()).toSorted((a, b) => connectionsOf(b) - connectionsOf(a))
  clients.keepEach(new Map(fullest.map(({ instance }, i) => [instance, STAYING[i] ?? 0])))
  const movesBefore = clients.moves()
  const leftAt = watch.seconds()
  const wanted = await until(
    'the autoscaler to go down',
    async () => {
      const pods = await release.pods('gateway')
      return pods.length === GATEWAYS.least && pods.map(({ metadata }) => metadata.name)
    },
    FOLLOW_MS,
  )
  const chosenAt = watch.seconds()
  happened(`${GATEWAYS.least} gateways chosen to stay`)
  await release.settles('gateway', GATEWAYS.least)
  const downAt = watch.seconds()
  happened(`${GATEWAYS.least} gateways left`)
  await traffic.areBack()
  await flows(traffic)
  const before = watch.samples.findLast(({ seconds }) => seconds < chosenAt - 1)?.connections ?? {}
  const went = Object.entries(before).filter(([pod]) => !wanted.includes(pod))
  const stayed = Object.entries(before).filter(([pod]) => wanted.includes(pod))
  const countsOf = (list: readonly (readonly [string, number])[]): readonly number[] =>
    list.map(([, count]) => count)
  const areEmptiest = Math.max(...countsOf(went)) <= Math.min(...countsOf(stayed))
  const movesDown = clients.moves() - movesBefore
  const told = clients.told()
  clients.keep(0)
  const { violations, experiences, acknowledged } = await traffic.conclude()
  await record({
    id: 'autoscaling-down',
    what: 'the same, back to 2 gateways',
    measured: `those with ${countsOf(went).join(' and ')} connections went, those with ${countsOf(stayed).join(' and ')} stayed; chosen after ${seconds(1_000 * (chosenAt - leftAt))}, gone after ${seconds(1_000 * (downAt - leftAt))}; ${movesDown} idle clients moved, ${told} told that they are not recovered; over the whole run ${TALKING} members lost ${experiences.disconnects} connections, ${experiences.recovered} recovered, ${acknowledged} messages acknowledged, ${violations.length} violations`,
    target: 'the emptiest go; nothing lost, doubled, out of order or not recovered',
    isMet: areEmptiest && told === 0 && violations.length === 0,
  })
  if (SAMPLES !== undefined) {
    const samples = watch.samples.map(({ seconds, connections }) => ({
      seconds: Math.round(seconds),
      connections,
    }))
    await writeFile(SAMPLES, `${JSON.stringify({ samples, events })}\n`)
  }
  expect({ spread, isShared }).toMatchObject({ isShared: true })
  expect({ before, wanted, areEmptiest }).toMatchObject({ areEmptiest: true })
  expect(violationLines('scaling', violations)).toEqual([])
  expect(told).toBe(0)
})
