import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { joinRoom, says, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { startHookBackend } from '../support/hook-backend.ts'
import { newKey, startKeyServer } from '../support/jwks.ts'
import { liveMetrics, type ScrapedMetric } from '../support/metrics.ts'
import { until } from '../support/processes.ts'

/** Metrics that show only where presence uses the Kubernetes API. */
const ON_KUBERNETES = ['roomcast_presence_pods_age_seconds']
/** What the exporter adds by itself. */
const OF_THE_EXPORTER = ['target_info']

interface Documented {
  readonly name: string
  readonly type: string
  /** The closed set of each label; undefined for one that is described by words. */
  readonly labels: ReadonlyMap<string, readonly string[] | undefined>
}

/** The tables of docs/metrics.md, by the heading above each. */
async function documented(): Promise<ReadonlyMap<string, readonly Documented[]>> {
  const text = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const sections = text.split('\n## ').slice(1)
  return new Map(
    sections.map((section) => [
      section.split('\n', 1)[0] ?? '',
      [...section.matchAll(/^\| `(\w+)` +\| (\w+) +\| \w* +\| (.*?) +\| /gm)].map(
        ([, name = '', type = '', labels = '']) => ({ name, type, labels: labelsIn(labels) }),
      ),
    ]),
  )
}

function labelsIn(cell: string): Documented['labels'] {
  return new Map(
    cell
      .split('; ')
      .filter((part) => part.trim() !== '')
      .map((part) => {
        const [, label = '', meaning = ''] = /^`(\w+)`: (.*)$/.exec(part) ?? []
        const isClosed = /^`[^`]+`(, `[^`]+`)*$/.test(meaning)
        return [
          label,
          isClosed ? [...meaning.matchAll(/`([^`]+)`/g)].map(([, v = '']) => v) : undefined,
        ]
      }),
  )
}

const stack = new AsyncDisposableStack()
let deployment: Deployment
let docs: Awaited<ReturnType<typeof documented>>
beforeAll(async () => {
  const key = await newKey('k1')
  const keyServer = stack.use(await startKeyServer(key))
  const backend = stack.use(await startHookBackend())
  // All that is documented: with tokens and hooks too.
  const env = {
    AUTH_JWKS_URL: keyServer.url,
    HOOK_JOIN_URL: `${backend.url}/join`,
    HOOK_SAY_URL: `${backend.url}/say`,
    HOOK_SECRET: `whsec_${Buffer.alloc(32, 9).toString('base64')}`,
  }
  const [started, pages] = await Promise.all([startDeployment({ env }), documented()])
  deployment = stack.use(started)
  docs = pages
  const join = async (url: string | undefined, name: string): Promise<TestClient> => {
    const token = await key.sign({ sub: name, exp: Math.floor(Date.now() / 1_000) + 600 })
    return joinRoom(url ?? '', 'measured', name, { auth: { token } })
  }
  const [here, there] = deployment.gateways
  const alice = await join(here?.url, 'alice')
  const bob = await join(there?.url, 'bob')
  await alice.ask('say', { text: 'hello' })
  await bob.got('the message', says('hello'))
  await bob.ask('members', {})
  alice.close()
  bob.close()
  await fetch(`${deployment.brokers[0]?.url}/v1/rooms/measured/messages`)
  await fetch(`${deployment.presences[0]?.url}/v1/stats`)
}, 60_000)
afterAll(async () => {
  await stack.disposeAsync()
})

describe.each([
  ['gateway', 'gateways'],
  ['broker', 'brokers'],
  ['presence', 'presences'],
] as const)('the metrics of %s', (service, replicas) => {
  const named = (): Documented[] => [
    ...(docs.get('Every service') ?? []),
    ...(docs.get(service) ?? []),
  ]

  it('are those that docs/metrics.md has, each of its type', async () => {
    const expected = named().filter(({ name }) => !ON_KUBERNETES.includes(name))
    expect(expected.length).toBeGreaterThan(20)
    // The loop's delay needs some samples, and garbage collection garbage.
    const live = await until('every documented metric', async () => {
      const live = (await liveMetrics(deployment))[replicas]
      return expected.every(({ name }) => live.has(name)) && live
    })
    const shown = [...live.values()].filter(({ name }) => !OF_THE_EXPORTER.includes(name))
    const typed = ({ name, type }: Documented | ScrapedMetric): string => `${name} ${type}`
    expect(shown.map(typed).sort()).toEqual(expected.map(typed).sort())
  })

  it('have no label and no value beyond those of docs/metrics.md', async () => {
    const live = (await liveMetrics(deployment))[replicas]
    const undocumented = named().flatMap(({ name, labels }) =>
      [...(live.get(name)?.labels ?? [])].flatMap(([label, values]) => {
        if (!labels.has(label)) return [`${name} ${label}`]
        const set = labels.get(label)
        return set === undefined
          ? []
          : [...values].filter((value) => !set.includes(value)).map((v) => `${name} ${label} ${v}`)
      }),
    )
    expect(undocumented).toEqual([])
  })

  it('say what runs', async () => {
    const info = (await liveMetrics(deployment))[replicas].get('roomcast_build_info')
    expect([...(info?.labels ?? [])].map(([label, values]) => [label, ...values])).toEqual([
      ['service', service],
      ['version', expect.stringMatching(/^\d+\.\d+\.\d+$/)],
      ['node', process.versions.node],
    ])
  })
})
