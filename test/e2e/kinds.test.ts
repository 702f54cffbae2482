import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import { CASES, CONTROLLERS, ingress } from '../chart/controllers.ts'
import { findHelms, type Helm, type Resource, type Values } from '../chart/helm.ts'
import { until } from '../support/processes.ts'
import { createNamespace, type Namespace } from './support/namespace.ts'
import { runProgram, tryProgram, type Outcome } from './support/programs.ts'
import { report } from './support/report.ts'

jest.setTimeout(420_000)

/** Definitions of kinds, as their projects publish them: in a Go module, which `go mod download` brings. */
interface Source {
  readonly module: string
  readonly file: string
  readonly kinds: readonly string[]
  /** Values with which the chart makes these kinds. */
  readonly values: readonly Values[]
}

const parentRefs = [{ name: 'public' }]
const routes = (sessionPersistence: string): Values =>
  ingress('gateway-api', { gatewayApi: { parentRefs, sessionPersistence } })
const casesOf = (controller: string): readonly Values[] =>
  CASES.map(([, values]) => values(controller))

const SOURCES: readonly Source[] = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    file: 'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
    kinds: ['ServiceMonitor'],
    values: [
      { metrics: { serviceMonitor: { enabled: true } } },
      {
        metrics: {
          serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, scrapeTimeout: '9s' },
        },
      },
    ],
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    file: 'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml',
    kinds: ['PrometheusRule'],
    values: [
      { metrics: { prometheusRule: { enabled: true } } },
      {
        metrics: {
          prometheusRule: {
            enabled: true,
            labels: { release: 'prometheus' },
            alertLabels: { team: 'chat' },
            extraRules: [{ record: 'chat:rooms', expr: 'max(roomcast_presence_rooms)' }],
          },
        },
      },
    ],
  },
  {
    module: 'github.com/kedacore/keda/v2@v2.21.0',
    file: 'config/crd/bases/keda.sh_scaledobjects.yaml',
    kinds: ['ScaledObject'],
    values: [{ autoscaling: { type: 'keda' } }],
  },
  {
    module: 'github.com/projectcontour/contour@v1.33.8',
    file: 'examples/contour/01-crds.yaml',
    kinds: ['HTTPProxy'],
    values: casesOf('contour'),
  },
  {
    module: 'istio.io/api@v1.31.4',
    file: 'kubernetes/customresourcedefinitions.gen.yaml',
    kinds: ['VirtualService', 'DestinationRule'],
    values: casesOf('istio'),
  },
  {
    module: 'github.com/envoyproxy/gateway@v1.9.1',
    file: 'charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_backendtrafficpolicies.yaml',
    kinds: ['BackendTrafficPolicy'],
    values: casesOf('envoy-gateway'),
  },
  {
    module: 'sigs.k8s.io/gateway-api@v1.6.1',
    file: 'config/crd/experimental/gateway.networking.k8s.io_httproutes.yaml',
    kinds: ['HTTPRoute'],
    values: [routes('v1.6'), ...casesOf('gateway-api'), ...casesOf('envoy-gateway')],
  },
  {
    module: 'sigs.k8s.io/gateway-api@v1.7.0',
    file: 'config/crd/experimental/gateway.networking.k8s.io_httproutes.yaml',
    kinds: ['HTTPRoute'],
    values: [routes('v1.7'), ...casesOf('envoy-gateway')],
  },
]
/** Those whose definitions are published nowhere that can be had by a package manager. */
const NOT_HAD = ['BackendConfig']
const OWN_KINDS = new Set([...SOURCES.flatMap(({ kinds }) => kinds), ...NOT_HAD])

let namespace: Namespace
let helm: Helm
beforeAll(async () => {
  namespace = await createNamespace()
  const [found] = await findHelms()
  if (found === undefined) throw new Error('there is no helm')
  helm = found
})
afterAll(async () => {
  await namespace[Symbol.asyncDispose]()
})

/** Asks the API server what it would say to these objects. Nothing is made. */
async function ask(resources: readonly Resource[]): Promise<Outcome> {
  const placed = resources.map((resource) =>
    resource.kind === 'APIService'
      ? resource
      : { ...resource, metadata: { namespace: namespace.name, ...resource.metadata } },
  )
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: placed })
  return tryProgram(
    'kubectl',
    ['apply', '--dry-run=server', '--validate=strict', '--filename', '-'],
    list,
  )
}

async function rendered(
  values: readonly Values[],
  isWanted: (resource: Resource) => boolean,
): Promise<readonly Resource[]> {
  const all = await Promise.all(values.map((one) => helm.render(one)))
  return all.flat().filter(isWanted)
}

it('the API server takes, strictly, everything of its own kinds that the chart makes', async () => {
  const values: readonly Values[] = [
    {},
    { autoscaling: { type: 'connections' }, presence: { rebalance: { enabled: true } } },
    { autoscaling: { type: 'cpu' }, presence: { kubernetes: { enabled: false } } },
    { networkPolicy: { enabled: true }, metrics: { dashboards: { enabled: true } } },
    { redis: { embedded: { persistence: { enabled: true } } } },
    ...CONTROLLERS.flatMap(casesOf),
  ]
  const resources = await rendered(values, ({ kind }) => !OWN_KINDS.has(kind))
  const kinds = new Set(resources.map(({ kind }) => kind))
  report('kinds', `${resources.length} objects of ${kinds.size} kinds of Kubernetes`)
  const { isOk, stderr } = await ask(resources)
  // GKE's controller has no class, and is told by an annotation that is old everywhere else.
  const told = stderr.replaceAll(/^Warning: annotation "kubernetes.io\/ingress.class".*\n/gm, '')
  expect({ isOk, told }).toEqual({ isOk: true, told: '' })
})

it.each(SOURCES.map((source) => [source.module, source] as const))(
  'an API server with the definitions of %s takes, strictly, what the chart makes for them',
  async (module, { file, kinds, values }) => {
    const resources = await rendered(values, ({ kind }) => kinds.includes(kind))
    expect(new Set(resources.map(({ kind }) => kind))).toEqual(new Set(kinds))
    await using _defined = await define(module, file, kinds)
    const [first] = resources
    if (first === undefined) throw new Error('nothing to ask for')
    // The API server takes a definition up a moment later.
    await until('the kinds to be known', async () => (await ask([first])).isOk)
    expect(await ask(resources)).toMatchObject({ isOk: true, stderr: '' })
    const broken = { ...first, spec: { ...(first['spec'] as object), unheardOf: true } }
    expect((await ask([broken])).stderr).toMatch(/unknown field "(spec\.)?unheardOf"/)
    report('kinds', `${resources.length} of ${kinds.join(', ')} as in ${module}`)
  },
)

/** Makes the definitions of some kinds for as long as it is held. What somebody else has made already is his, and used as it is. */
async function define(
  module: string,
  file: string,
  kinds: readonly string[],
): Promise<AsyncDisposable> {
  interface Definition {
    readonly metadata: { readonly name: string }
    readonly spec: { readonly names: { readonly kind: string } }
  }
  // Some modules ask for a newer Go than is there, which then fetches it.
  const download = ['GOTOOLCHAIN=auto', 'go', 'mod', 'download', '-json', module]
  const { Dir } = JSON.parse(await runProgram('env', download)) as { Dir: string }
  const documents = parseAllDocuments(await readFile(join(Dir, file), 'utf8'))
  const wanted = documents
    .map((document) => document.toJS() as Definition | null)
    .filter((found) => found !== null && kinds.includes(found.spec.names.kind))
  expect(wanted).toHaveLength(kinds.length)
  const made: string[] = []
  for (const definition of wanted) {
    const created = await tryProgram(
      'kubectl',
      ['create', '--filename', '-'],
      JSON.stringify(definition),
    )
    const name = `crd/${definition?.metadata.name}`
    if (created.isOk) made.push(name)
    else if (created.stderr.includes('AlreadyExists'))
      report('kinds', `${name} was there before: its own schema is asked`)
    else throw new Error(created.stderr)
  }
  return {
    async [Symbol.asyncDispose]() {
      if (made.length > 0) await runProgram('kubectl', ['delete', ...made, '--wait'])
    },
  }
}
