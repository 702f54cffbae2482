import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { until } from '../../support/processes.ts'
import { entranceOf } from '../support/entrance.ts'
import { createNamespace } from '../support/namespace.ts'
import { reaperIn, type Reaper } from '../support/reaper.ts'
import {
  install,
  isReady,
  over,
  SMALL,
  type Component,
  type Pod,
  type Values,
} from '../support/release.ts'
import { scenario, type Place } from '../support/scenario.ts'

jest.setTimeout(600_000)

const MEMBERS = 200
const MEMBERS_OF_ROLLOUT = 500
/** By the chart. */
const REPLICAS = { gateway: 3, broker: 2, presence: 2, valkey: 1 } as const
const SERVICES = ['gateway', 'broker', 'presence'] as const
/** Over how long a gateway closes its connections. */
const SPREAD_SECONDS = 20
/** Those whose close a busy machine brings up to a second late, as a share of a second's. */
const LATE_SHARE = 0.5
const BACK_MS = 3_000
/** How long a pod may take to come back, those that drain included. In milliseconds. */
const WELL_MS = 120_000

const suite = new AsyncDisposableStack()
let place: Place
let reaper: Reaper
let values: Values
beforeAll(async () => {
  const namespace = suite.use(await createNamespace())
  const entrance = entranceOf(namespace)
  // The whole log is compared.
  values = over(over(SMALL, entrance.values), {
    gateway: { drain: { spreadSeconds: SPREAD_SECONDS } },
    broker: { settings: { historySize: 100_000 } },
  })
  place = { namespace, entrance, release: await install(namespace, values) }
  reaper = reaperIn(namespace)
  await entrance.isOpen(REPLICAS.gateway)
})
afterAll(() => suite.disposeAsync())

/** What a slope over all connections gives in a second, with what may be late. */
const cap = (members: number): number => Math.ceil((members / SPREAD_SECONDS) * (1 + LATE_SHARE))

async function anyPod(component: Component): Promise<Pod> {
  const [pod] = await place.release.pods(component)
  if (pod === undefined) throw new Error(`there is no ${component}`)
  return pod
}

const restartsOf = (pods: readonly Pod[]): number =>
  pods.reduce((sum, { status }) => sum + (status.containerStatuses?.[0]?.restartCount ?? 0), 0)

/** kill -9, and waits until the kubelet has noticed and the new process is ready. */
async function kill(component: Component, pod: Pod): Promise<void> {
  const before = restartsOf(await place.release.pods(component))
  await reaper.kill(pod)
  await until(
    `${component} to be well`,
    async () => {
      const pods = await place.release.pods(component)
      return restartsOf(pods) > before && pods.every(isReady)
    },
    WELL_MS,
  )
}

async function remove(component: Component, pod: Pod): Promise<void> {
  await place.namespace.kubectl('delete', 'pod', pod.metadata.name, '--wait=false')
  await until(
    `${component} to be well`,
    async () => {
      const pods = await place.release.pods(component)
      const isGone = pods.every(({ metadata }) => metadata.uid !== pod.metadata.uid)
      return isGone && pods.length === REPLICAS[component] && pods.every(isReady)
    },
    WELL_MS,
  )
  await place.release.settles(component, REPLICAS[component])
}

async function roll(component: Component): Promise<void> {
  const deployment = `deployment/${place.release.named(component)}`
  await place.namespace.kubectl('rollout', 'restart', deployment)
  await place.namespace.kubectl('rollout', 'status', deployment, '--timeout=240s')
  await place.release.settles(component, REPLICAS[component])
}

it.each(SERVICES)('a rolling update of %s', async (component) => {
  const isGateway = component === 'gateway'
  const members = isGateway ? MEMBERS_OF_ROLLOUT : MEMBERS
  const { experiences } = await scenario(
    place,
    {
      id: `roll-${component}`,
      what: `rolling update of ${component}`,
      members,
      backMs: BACK_MS,
      closedInASecond: isGateway ? cap(members) : 0,
    },
    () => roll(component),
  )
  if (isGateway) expect(experiences.recovered).toBeGreaterThanOrEqual(members)
})

it.each(SERVICES)('a pod of %s is deleted', async (component) => {
  await scenario(
    place,
    {
      id: `delete-${component}`,
      what: `kubectl delete pod, of ${component}`,
      members: MEMBERS,
      backMs: BACK_MS,
      closedInASecond: component === 'gateway' ? cap(MEMBERS) : 0,
    },
    async () => remove(component, await anyPod(component)),
  )
})

it.each(SERVICES)('the process of a pod of %s is killed with -9', async (component) => {
  await scenario(
    place,
    { id: `kill-${component}`, what: `kill -9 in a pod of ${component}`, members: MEMBERS },
    async () => kill(component, await anyPod(component)),
  )
})

it('the Valkey process is killed with -9, and its container keeps the files', async () => {
  await scenario(
    place,
    { id: 'kill-valkey', what: 'kill -9 in the pod of Valkey', members: MEMBERS },
    async () => kill('valkey', await anyPod('valkey')),
  )
})

it('the leader of presence is killed with -9', async () => {
  await scenario(
    place,
    { id: 'kill-leader', what: 'kill -9 of the leader of presence', members: MEMBERS },
    async () => kill('presence', await leader()),
  )
})

it('two gateways go', async () => {
  const scale = async (replicas: number): Promise<void> => {
    await place.release.upgrade(over(values, { gateway: { replicas } }))
    await place.release.settles('gateway', replicas)
  }
  await scale(REPLICAS.gateway + 2)
  await place.entrance.isOpen(REPLICAS.gateway + 2)
  await scenario(
    place,
    {
      id: 'scale-down',
      what: 'scaling down by two gateways, 5 to 3',
      members: MEMBERS,
      backMs: BACK_MS,
      closedInASecond: cap(MEMBERS),
    },
    () => scale(REPLICAS.gateway),
  )
})

it('a rolling update without affinity', async () => {
  await place.release.upgrade(over(values, { ingress: { affinity: { enabled: false } } }))
  await place.release.settles('gateway', REPLICAS.gateway)
  await scenario(
    place,
    {
      id: 'roll-free',
      what: 'rolling update of gateway, Traefik without affinity',
      members: MEMBERS,
      backMs: BACK_MS,
      closedInASecond: cap(MEMBERS),
    },
    () => roll('gateway'),
  )
})

async function leader(): Promise<Pod> {
  interface Lease {
    readonly spec?: { readonly holderIdentity?: string }
  }
  return until('a leader', async () => {
    const [leases, pods] = await Promise.all([
      place.namespace.list<Lease>('leases'),
      place.release.pods('presence'),
    ])
    const holders = leases.map(({ spec }) => spec?.holderIdentity ?? '')
    return pods.find(({ metadata }) => holders.some((holder) => holder.includes(metadata.name)))
  })
}
