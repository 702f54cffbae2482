import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals'
import { until } from '../support/processes.ts'
import { createNamespace, GONE_MS, type Namespace } from './support/namespace.ts'
import { install, isReady, over, SMALL, type Release, type Values } from './support/release.ts'
import { report, seconds, timed } from './support/report.ts'

jest.setTimeout(300_000)

/** The image that the chart has its own Valkey from. */
const STORE_IMAGE = 'docker.io/valkey/valkey:8.1'
const NEED_REDIS = ['broker', 'gateway'] as const
/** How long a fault may take to be visible, in milliseconds. */
const SHOW_MS = 60_000

const suite = new AsyncDisposableStack()
let namespace: Namespace
let release: Release | undefined
beforeAll(async () => {
  namespace = suite.use(await createNamespace())
  const args = ['--command', '--', 'valkey-server', '--requirepass', 'the-right-one']
  await namespace.kubectl('run', 'store', `--image=${STORE_IMAGE}`, ...args)
  await namespace.kubectl('expose', 'pod', 'store', '--port=6379')
  await namespace.kubectl('wait', 'pod/store', '--for=condition=Ready', '--timeout=60s')
})
afterEach(async () => {
  await release?.uninstall()
  release = undefined
  // Pods on their way out would be taken for those of the next release, which has the same name.
  const selector = 'app.kubernetes.io/part-of=roomcast,app.kubernetes.io/component!=test'
  await until(
    'the end of all pods',
    async () => (await namespace.list('pods', selector)).length === 0,
    GONE_MS,
  )
})
afterAll(() => suite.disposeAsync())

const ONE_EACH: Values = {
  gateway: { replicas: 1 },
  broker: { replicas: 1 },
  presence: { replicas: 1 },
}
const withRedis = (external: Values): Values =>
  over(over(SMALL, ONE_EACH), { redis: { mode: 'external', external } })

/** Asks `helm test`, which has to fail and to say what the likely cause is, and returns that sentence. */
async function likelyCause(release: Release): Promise<string> {
  const [{ isOk, stdout, stderr }, ms] = await timed(() => release.test())
  const [sentence] = /^failed: .*$/m.exec(stdout + stderr) ?? []
  const [, cause] = /^likely cause: (.*)$/m.exec(stdout + stderr) ?? []
  if (isOk || sentence === undefined || cause === undefined)
    throw new Error(`helm test said:\n${stdout}${stderr}`)
  report('faults', `helm test after ${seconds(ms)}: ${sentence}`, `likely cause: ${cause}`)
  return cause
}

/** Gateways and brokers say what is wrong in their log, and are not ready. */
async function saysInLog(release: Release, pattern: RegExp): Promise<void> {
  for (const component of NEED_REDIS) {
    const [log, ms] = await timed(() => release.logs(component, pattern))
    const message = pattern.exec(log)?.[0] ?? ''
    report('faults', `${component} logs “${message}” after ${seconds(ms)}`)
    expect((await release.pods(component)).map(isReady)).toEqual([false])
  }
}

/** They go on to run: the fault may pass. */
async function goesOn(release: Release): Promise<void> {
  for (const component of NEED_REDIS) {
    const pods = await release.pods(component)
    const restarts = pods.map(({ status }) => status.containerStatuses?.[0]?.restartCount)
    expect({ component, restarts }).toEqual({ component, restarts: [0] })
  }
}

it('a wrong password of Redis is said by the pods that need it, and by helm test', async () => {
  const values = withRedis({ url: 'redis://:the-wrong-one@store:6379' })
  release = await install(namespace, values, { isAwaited: false })
  await saysInLog(release, /WRONGPASS[^"\n]*/)
  expect(await likelyCause(release)).toContain(
    '1 of 1 gateways, 1 of 1 brokers say “the room log was not reached yet”: Redis can not be reached or refuses the password',
  )
  await goesOn(release)
})

it('an unreachable Redis is said by the pods that need it, and by helm test', async () => {
  // A port of the store's pod on which nobody listens.
  const [store] = await namespace.list<{ status: { podIP: string } }>('pods', 'run=store')
  const values = withRedis({ url: `redis://${store?.status.podIP}:6380` })
  release = await install(namespace, values, { isAwaited: false })
  await saysInLog(release, /connect ECONNREFUSED [\d.]+:6380/)
  expect(await likelyCause(release)).toContain(
    '1 of 1 gateways, 1 of 1 brokers say “the room log was not reached yet”: Redis can not be reached or refuses the password',
  )
  await goesOn(release)
})

it('a missing Secret is in the status of the pods that need it, and helm test says so', async () => {
  release = await install(namespace, withRedis({ existingSecret: 'nowhere' }), { isAwaited: false })
  for (const component of NEED_REDIS) {
    const waiting = await until(
      `what ${component} waits for`,
      async () => {
        const [pod] = (await release?.pods(component)) ?? []
        const state = pod?.status.containerStatuses?.[0]?.state.waiting
        return state?.reason === 'CreateContainerConfigError' ? state : undefined
      },
      SHOW_MS,
    )
    report('faults', `status of ${component}: ${waiting.reason}, ${waiting.message}`)
    expect(waiting.message).toBe('secret "nowhere" not found')
  }
  expect(await likelyCause(release)).toContain(
    '1 of 1 gateways, 1 of 1 brokers do not run, for want of a Secret',
  )
})
