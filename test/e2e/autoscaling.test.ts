import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import type { z } from 'zod'
import type { GatewaysView } from '@roomcast/protocol'
import { getJson } from '../support/deployment.ts'
import { startProcess, until } from '../support/processes.ts'
import { entranceOf, type Entrance } from './support/entrance.ts'
import { connectIdle } from './support/idle.ts'
import { clusterWide, createNamespace, type Namespace } from './support/namespace.ts'
import { runProgram } from './support/programs.ts'
import {
  install,
  isReady,
  over,
  SMALL,
  type Pod,
  type Release,
  type Values,
} from './support/release.ts'
import { report, seconds, timed } from './support/report.ts'

jest.setTimeout(420_000)

const CONNECTIONS_PER_GATEWAY = 100
const GATEWAYS_MIN = 2
/** What 350 connections take at 100 each. */
const CONNECTIONS = 350
const GATEWAYS_FOR_THEM = 4
const CONNECTIONS_LEFT = 60
/** Connections that come by long polling and upgrade, so that they have the cookie. */
const PINNED = 120
/** How long an autoscaler may take to follow, in milliseconds: it looks every 15 s, and pods have to start or to drain. */
const FOLLOW_MS = 150_000
/** How long presence may take to write what a pod's deletion costs, in milliseconds: it looks every 10 s. */
const COST_MS = 60_000
const COST = 'controller.kubernetes.io/pod-deletion-cost'

/** Down as quickly as up, so that the test need not wait. */
const SCALED: Values = {
  autoscaling: {
    type: 'connections',
    minReplicas: GATEWAYS_MIN,
    maxReplicas: 6,
    connectionsPerGateway: CONNECTIONS_PER_GATEWAY,
    behavior: {
      scaleDown: {
        stabilizationWindowSeconds: 0,
        policies: [{ type: 'Pods', value: 6, periodSeconds: 15 }],
        selectPolicy: 'Max',
      },
    },
  },
}

const suite = new AsyncDisposableStack()
let namespace: Namespace
let entrance: Entrance
let release: Release
let values: Values
beforeAll(async () => {
  namespace = suite.use(await createNamespace())
  entrance = entranceOf(namespace)
  values = over(over(SMALL, entrance.values), { gateway: { drain: { spreadSeconds: 5 } } })
  release = await install(namespace, values)
  // Before the namespace goes: an APIService without anybody behind it would hold that up.
  suite.defer(async () => {
    await release.uninstall()
    const left = await clusterWide(namespace)
    report('autoscaling', `objects left outside of the namespace: ${left.length}`)
    expect(left).toEqual([])
  })
  await entrance.isOpen()
})
afterAll(() => suite.disposeAsync())

const costOf = ({ metadata }: Pod): number => Number(metadata.annotations?.[COST] ?? 0)
const fixed = (replicas: number): Values => over(values, { gateway: { replicas } })

it('scaling down takes the gateways without connections, and nobody moves', async () => {
  const [full] = await release.pods('gateway')
  const name = full?.metadata.name ?? ''
  await using forward = await namespace.forward(`pod/${name}`, 8_080)
  using clients = await connectIdle(forward.url, CONNECTIONS_LEFT)
  const [cost, ms] = await timed(() =>
    until(
      'what its deletion costs',
      async () => {
        const pods = await release.pods('gateway')
        const cost = Math.max(...pods.map(costOf))
        return cost > 0 && cost
      },
      COST_MS,
    ),
  )
  await release.upgrade(fixed(1))
  await release.settles('gateway', 1)
  const [left] = await release.pods('gateway')
  report(
    'deletion cost',
    `a gateway with ${CONNECTIONS_LEFT} connections has cost ${cost} after ${seconds(ms)}`,
    `3 to 1 gateways: ${left?.metadata.name === name ? 'it stays' : 'it is gone'}, ${clients.moves()} connections moved`,
  )
  expect(left?.metadata.name).toBe(name)
  expect([clients.connected(), clients.moves()]).toEqual([CONNECTIONS_LEFT, 0])
})

it('with rebalancing, new gateways get connections of the old one, although a cookie leads them back', async () => {
  const rebalanced = (replicas: number): Values =>
    over(fixed(replicas), {
      presence: { rebalance: { enabled: true, batchPercent: 25, intervalSeconds: 5 } },
    })
  await release.upgrade(rebalanced(1))
  await release.settles('gateway', 1)
  await release.settles('presence', 2)
  await using presence = await namespace.forward(`service/${release.named('presence')}`, 8_090)
  using clients = await connectIdle(entrance.url, PINNED, {
    ...entrance.options,
    transports: ['polling', 'websocket'],
  })
  await release.upgrade(rebalanced(3))
  const [spread, ms] = await timed(() =>
    until(
      'an even spread',
      async () => {
        const { gateways } = await getJson<z.infer<typeof GatewaysView>>(
          `${presence.url}/v1/gateways`,
        )
        const spread = gateways.map(({ connections: by }) => by.polling + by.websocket)
        // Presence leaves a gateway alone that is within 20 connections of the mean.
        const isEven = spread.length === 3 && Math.max(...spread) <= PINNED / 3 + 20
        return isEven && clients.connected() === PINNED && spread
      },
      FOLLOW_MS,
    ),
  )
  report(
    'rebalance',
    `1 to 3 gateways with ${PINNED} connections: ${spread.join(', ')} after ${seconds(ms)}, ${clients.moves()} moves`,
  )
  expect(Math.min(...spread)).toBeGreaterThan(0)
})

it('an autoscaler is handed the number of gateways as it is', async () => {
  await release.upgrade(fixed(4))
  await release.settles('gateway', 4)
  const watch = startProcess('kubectl', [
    '--namespace',
    namespace.name,
    'get',
    `deployment/${release.named('gateway')}`,
    '--watch',
    '--output',
    'jsonpath={.spec.replicas}{"\\n"}',
  ])
  await using _watch = watch
  await watch.printed(/^4$/m)
  await release.upgrade(over(values, SCALED))
  await release.settles('gateway', GATEWAYS_MIN)
  const numbers = [...new Set(watch.output().trim().split('\n'))].map(Number)
  const version = (await runProgram('helm', ['version', '--short'])).trim()
  report('hand over', `with helm ${version}: ${numbers.join(', ')} gateways`)
  // Helm 3 has no server-side apply, without which a field that is left out falls back to 1.
  expect(Math.min(...numbers)).toBe(version.startsWith('v3') ? 1 : GATEWAYS_MIN)
})

it('a second release is told whose the metrics API is', async () => {
  await using other = await createNamespace()
  const refused = install(other, over(SMALL, SCALED), { isAwaited: false })
  await expect(refused).rejects.toThrow(
    `The APIService v1beta1.external.metrics.k8s.io, of which a cluster has one, belongs to the release chat in the namespace ${namespace.name}: set autoscaling.type=keda or cpu here.`,
  )
})

it('the number of gateways follows the connections, up and down', async () => {
  const ready = async (): Promise<number> => (await release.pods('gateway')).filter(isReady).length

  using clients = await connectIdle(entrance.url, CONNECTIONS, entrance.options)
  const began = performance.now()
  const [, metricMs] = await timed(() =>
    until('the autoscaler to see them', async () => (await seen()) === CONNECTIONS, FOLLOW_MS),
  )
  await until(
    `${GATEWAYS_FOR_THEM} gateways`,
    async () => (await ready()) === GATEWAYS_FOR_THEM,
    FOLLOW_MS,
  )
  const upMs = performance.now() - began
  report(
    'autoscaling',
    `${CONNECTIONS} connections at ${CONNECTIONS_PER_GATEWAY} each: the autoscaler has read them all after ${seconds(metricMs)}, ${GATEWAYS_FOR_THEM} gateways are ready after ${seconds(upMs)}`,
  )

  clients.keep(CONNECTIONS_LEFT)
  const [, downMs] = await timed(async () => {
    await until(
      'the autoscaler to go down',
      async () => (await release.pods('gateway')).length === GATEWAYS_MIN,
      FOLLOW_MS,
    )
    await release.settles('gateway', GATEWAYS_MIN)
  })
  await until('all to be connected', () => clients.connected() === CONNECTIONS_LEFT)
  report(
    'autoscaling',
    `${CONNECTIONS_LEFT} connections left: ${GATEWAYS_MIN} gateways, and no other that drains, after ${seconds(downMs)}`,
  )
})

/** The connections that the autoscaler has seen: it tells how many there are for each of the gateways that it counted. */
async function seen(): Promise<number> {
  interface Autoscaler {
    readonly status: {
      readonly currentReplicas?: number
      readonly currentMetrics?: readonly {
        readonly external?: { readonly current: { readonly averageValue: string } }
      }[]
    }
  }
  const [autoscaler] = await namespace.list<Autoscaler>('horizontalpodautoscalers')
  const { currentReplicas = 0, currentMetrics = [] } = autoscaler?.status ?? {}
  const quantity = currentMetrics[0]?.external?.current.averageValue ?? '0'
  const average = quantity.endsWith('m') ? Number.parseInt(quantity, 10) / 1_000 : Number(quantity)
  return Math.round(average * currentReplicas)
}
