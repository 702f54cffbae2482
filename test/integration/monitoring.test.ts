import { readdir, readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { find, findHelms, ROOT } from '../chart/helm.ts'
import { alertsOf, type AlertRule } from '../support/alerts.ts'
import { joinRoom, type TestClient } from '../support/clients.ts'
import {
  interpolate,
  queriesOf,
  readDashboards,
  type DashboardVariable,
  type TestDashboard,
} from '../support/dashboard.ts'
import {
  getJson,
  startDeployment,
  type Deployment,
  type TestService,
} from '../support/deployment.ts'
import { startHookBackend } from '../support/hook-backend.ts'
import { newKey, startKeyServer } from '../support/jwks.ts'
import { until } from '../support/processes.ts'
import { startPrometheus, type Series, type TestPrometheus } from '../support/prometheus.ts'

const NAMESPACE = 'rooms'
const RELEASE = 'chat-roomcast'
/** A release whose pods' names begin in the same way. */
const OTHER_RELEASE = 'chat-roomcast-gateway'
const VALUES = {
  namespace: NAMESPACE,
  release: RELEASE,
  pod: '.*',
  /** Twenty-five scrapes. */
  __rate_interval: '5s',
  __range: '30s',
}
/** Names of metrics of the services and of their processes; two labels begin like these. */
const METRIC =
  /\b(?:roomcast_(?:gateway|broker|presence|ready|build)|process|nodejs|v8js)_(?!heap_space_name|gc_type)\w+/g
/** Alerts about speed. */
const HASTY = 'Roomcast(EventLoopBlocked|DeliverySlow|AppendsSlow|GatewayBusy|OutboxFilling)'
/** Metrics of others than Roomcast, which an alert uses where they are. */
const FOREIGN = /^container_/

const dashboards = new Map(
  (await readDashboards()).map((dashboard) => [dashboard.file, dashboard] as const),
)

const stack = new AsyncDisposableStack()
let deployment: Deployment
let prometheus: TestPrometheus
let alerts: readonly AlertRule[]
const clients: TestClient[] = []
let wanderer: TestClient
let isLoaded = true
let load: Promise<void> = Promise.resolve()

/** A pod's name as a Deployment gives it. */
const podOf = (release: string, service: string, i: number): string =>
  `${release}-${service}-5d9f7c6b8-x2x4${i}`

/** What a ServiceMonitor of the chart sets. */
const targets = (
  release: string,
  service: string,
  replicas: readonly TestService[],
): { url: string; labels: Record<string, string> }[] =>
  replicas.map(({ metricsUrl }, i) => ({
    url: metricsUrl,
    labels: {
      namespace: NAMESPACE,
      pod: podOf(release, service, i),
      job: `${release}-${service}-headless`,
      service: `${release}-${service}-headless`,
      container: service,
      endpoint: 'metrics',
      app_kubernetes_io_component: service,
    },
  }))

const expression = (expr: string): string => interpolate(expr, VALUES)

/** The query of a dashboard by the title of its panel and its legend. */
const exprOf = (name: string, file = 'overview.json'): string => {
  const dashboard = dashboards.get(file) as TestDashboard
  const query = queriesOf(dashboard).find((query) => query.name === name)
  if (query === undefined) throw new Error(`${file} has no query ${name}`)
  return query.expr
}

/** Resolves once what an expression returns fulfils the condition; rejects with what it returned last. */
async function returns(
  expr: string,
  condition: (series: readonly Series[]) => boolean,
): Promise<void> {
  let last: readonly Series[] = []
  try {
    await until('the result', async () => {
      last = await prometheus.query(expression(expr))
      return condition(last)
    })
  } catch (error) {
    throw new Error(`${expression(expr)} returned ${JSON.stringify(last)}`, { cause: error })
  }
}

const isNumber = ({ value }: Series): boolean => Number.isFinite(value)
const returnsValue = (expr: string, expected: number): Promise<void> =>
  returns(expr, ([only]) => only?.value === expected)

/** The same for a query whose series are told apart by a label. */
const returnsBy = (label: string, expr: string, expected: Record<string, number>): Promise<void> =>
  returns(expr, (series) =>
    isDeepStrictEqual(
      Object.fromEntries(series.map(({ labels, value }) => [labels[label], value])),
      expected,
    ),
  )

/** What gives every measure something to measure. */
async function talk(speaker: TestClient, { brokers, presences }: Deployment): Promise<void> {
  for (let i = 0; isLoaded; i++) {
    await speaker.ask('say', { text: `message ${i}` })
    if (i % 10 > 0) continue
    await speaker.ask('history', {})
    await speaker.ask('members', {})
    await getJson(`${brokers[0]?.url}/v1/rooms/lobby/messages?limit=1`)
    await getJson(`${presences[0]?.url}/v1/stats`)
  }
}

/** Presence forgets a gateway that is silent, and asks for its state when it speaks again. */
async function silenceFor(gateway: TestService, presence: TestService): Promise<void> {
  const known = async (count: number): Promise<boolean> => {
    const page = await (await fetch(`${presence.metricsUrl}/metrics`)).text()
    return (
      /^roomcast_presence_reporting_gateways(?:\{.*\})? (\d+)/m.exec(page)?.[1] === String(count)
    )
  }
  gateway.signal('SIGSTOP')
  await until('one gateway less', () => known(2))
  gateway.signal('SIGCONT')
  await until('all gateways again', () => known(3))
}

beforeAll(async () => {
  const [helm] = await findHelms()
  if (helm === undefined) throw new Error('there is no helm')
  const rendered = await helm.render({ metrics: { prometheusRule: { enabled: true } } })
  const rule = find(rendered, 'PrometheusRule', '')
  alerts = alertsOf(rule)
  const key = await newKey('k1')
  const keyServer = stack.use(await startKeyServer(key))
  const backend = stack.use(await startHookBackend())
  const started = await startDeployment({
    gateways: 3,
    brokers: 2,
    presences: 2,
    env: {
      AUTH_JWKS_URL: keyServer.url,
      HOOK_JOIN_URL: `${backend.url}/join`,
      HOOK_SAY_URL: `${backend.url}/say`,
      HOOK_SECRET: `whsec_${Buffer.alloc(32, 9).toString('base64')}`,
      LEASE_MS: '2000',
      SAY_RATE_PER_SECOND: '1000000',
      SAY_BURST: '1000000',
      DRAIN_PROPAGATION_MS: '3000',
    },
  })
  deployment = stack.use(started)
  const { gateways, brokers, presences } = deployment
  const scraping = await startPrometheus(
    [
      ...targets(RELEASE, 'gateway', gateways),
      ...targets(RELEASE, 'broker', brokers),
      ...targets(RELEASE, 'presence', presences),
      ...targets(OTHER_RELEASE, 'gateway', gateways),
    ],
    (rule['spec'] as { groups: unknown }).groups,
  )
  prometheus = stack.use(scraping)
  const join = async (i: number, room: string, polls = false): Promise<TestClient> => {
    const transports = polls ? ['polling'] : ['websocket']
    const name = `member ${clients.length}`
    const token = await key.sign({ sub: name, exp: Math.floor(Date.now() / 1_000) + 600 })
    const client = await joinRoom(gateways[i]?.url ?? '', room, name, {
      transports,
      auth: { token },
    })
    clients.push(client)
    return client
  }
  const speaker = await join(0, 'lobby')
  wanderer = await join(0, 'lobby')
  await join(1, 'lobby')
  await join(1, 'lobby', true)
  await join(1, 'library')
  await join(2, 'attic')
  load = talk(speaker, deployment)
  const [first, second] = [presences[0], gateways[1]]
  if (first === undefined || second === undefined) throw new Error('a replica is missing')
  await silenceFor(second, first)
}, 90_000)

afterAll(async () => {
  isLoaded = false
  await load
  for (const client of clients) client.close()
  await stack.disposeAsync()
})

it('every metric that a dashboard, an alert or a document names is there', async () => {
  const services = [...deployment.gateways, ...deployment.brokers, ...deployment.presences]
  const live = new Set<string | undefined>()
  // A process tells the delays of its event loop once it has some samples since it was last scraped.
  await until('the delays of an event loop', async () => {
    const pages = await Promise.all(
      services.map(async ({ metricsUrl }) => (await fetch(`${metricsUrl}/metrics`)).text()),
    )
    // A histogram is also named as a whole, which is how its type is told.
    for (const [, name] of pages.join('\n').matchAll(/^(?:# TYPE )?(\w+)/gm)) live.add(name)
    return live.has('nodejs_eventloop_delay_p99')
  })
  // docs/metrics.md has a test of its own.
  const docs = (await readdir(`${ROOT}docs`)).filter((file) => /(?<!metrics)\.md$/.test(file))
  const texts = new Map([
    ...[...dashboards].map(([file, { text }]) => [file, text] as const),
    ...alerts.map(({ alert, expr }) => [alert, expr] as const),
    ...(await Promise.all(
      ['README.md', 'CHANGELOG.md', ...docs.map((file) => `docs/${file}`)].map(
        async (file) => [file, await readFile(ROOT + file, 'utf8')] as const,
      ),
    )),
  ])
  const named = [...texts].flatMap(([place, text]) =>
    [...new Set(text.match(METRIC))].map((name) => ({ place, name })),
  )
  expect(named.length).toBeGreaterThan(100)
  expect(named.filter(({ name }) => !live.has(name))).toEqual([])
})

it('offers the namespaces, releases and pods that Prometheus knows', async () => {
  const offered = async (file: string, name: string): Promise<string[]> => {
    const { variables } = dashboards.get(file) as TestDashboard
    const variable = variables.find((v) => v.name === name) as DashboardVariable
    const [, selector = '', label = ''] =
      /^label_values\((.+), (\w+)\)$/.exec(expression(variable.query)) ?? []
    const values = await prometheus.labelValues(selector, label)
    if (variable.regex === undefined) return values
    const regex = new RegExp(variable.regex.slice(1, -1))
    return [...new Set(values.flatMap((value) => regex.exec(value)?.[1] ?? []))]
  }
  expect(await offered('overview.json', 'namespace')).toEqual([NAMESPACE])
  expect(await offered('overview.json', 'release')).toEqual([RELEASE, OTHER_RELEASE])
  const gateways = [0, 1, 2].map((i) => podOf(RELEASE, 'gateway', i))
  expect(await offered('gateways.json', 'pod')).toEqual(gateways)
  expect(await offered('runtime.json', 'pod')).toHaveLength(7)
})

describe('under load', () => {
  it.each([...dashboards.keys()])('every query of %s has data', async (file) => {
    const queries = queriesOf(dashboards.get(file) as TestDashboard)
    await Promise.all(queries.map(({ expr }) => returns(expr, (series) => series.some(isNumber))))
  })

  it('alerts are evaluated, on series that are there, and none fires', async () => {
    const rules = await until('every rule', () => prometheus.rules().catch(() => undefined))
    // Prometheus has the groups by their names.
    expect(new Set(rules)).toEqual(new Set(alerts.map(({ alert }) => ({ name: alert, error: '' }))))
    const selectors = new Set(alerts.flatMap(({ expr }) => expr.match(/\w+\{[^}]*\}/g) ?? []))
    expect(selectors.size).toBeGreaterThan(20)
    await Promise.all(
      [...selectors]
        .filter((selector) => !FOREIGN.test(selector))
        .map((selector) => returns(selector, (series) => series.some(isNumber))),
    )
    await returnsBy('alertname', exprOf('Alerts that fire: {{alertname}}'), { none: 0 })
    // None waits to fire either, but those about speed, which a busy machine may not have.
    await returnsValue(`count(ALERTS{alertname!~"${HASTY}"}) or vector(0)`, 0)
  })

  it('Prometheus takes every query of the runbook', async () => {
    const runbook = await readFile(`${ROOT}docs/runbook.md`, 'utf8')
    const blocks = [...runbook.matchAll(/^```promql\n([^`]+)```/gm)].flatMap(([, block = '']) =>
      block.trim().split('\n'),
    )
    const spans = [...runbook.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
    const queries = [
      ...blocks,
      ...spans.filter((span) => /^up\b/.test(span) || span.search(METRIC) >= 0),
    ]
    expect(queries.length).toBeGreaterThan(40)
    await Promise.all(queries.map((query) => prometheus.query(query)))
  })

  it('counts each connection once: in all, by gateway, by transport, and as presence knows it', async () => {
    await returnsValue(exprOf('Connections: connections'), 6)
    await returnsBy('pod', exprOf('Connections by gateway: {{pod}}'), {
      [podOf(RELEASE, 'gateway', 0)]: 2,
      [podOf(RELEASE, 'gateway', 1)]: 3,
      [podOf(RELEASE, 'gateway', 2)]: 1,
    })
    await returnsBy('transport', exprOf('Connections by transport: {{transport}}'), {
      websocket: 5,
      polling: 1,
    })
    const reported = exprOf('Connections by gateway, as reported: {{gateway}}', 'presence.json')
    await returnsBy('gateway', reported, { 'gateway-1': 2, 'gateway-2': 3, 'gateway-3': 1 })
  })

  it('knows rooms and members of the whole, however many gateways a room is on', async () => {
    await returnsValue(exprOf('Rooms: rooms'), 3)
    await returnsValue(exprOf('Members: members'), 6)
  })

  it('has a delivery for each message and member of its room', async () => {
    const deliveries = `sum(${exprOf('Deliveries, by path: {{path}}')})`
    await returns(`${deliveries} / ${exprOf('Received and appended: received')}`, ([ratio]) => {
      // The gateways are not scraped at the same moment.
      return ratio !== undefined && Math.abs(ratio.value - 4) < 0.5
    })
  })

  it('has one leader, and every replica ready', async () => {
    await returnsValue(exprOf('Leaders: leaders', 'presence.json'), 1)
    await returnsValue(exprOf('Gateways that are ready: ready'), 3)
    await returnsValue(exprOf('Brokers that are ready: ready'), 2)
  })

  it('shows what was refused, and who broke off and came back', async () => {
    expect(await wanderer.ask('say', { text: '' })).toMatchObject({ code: 'invalid' })
    const refused = exprOf('Refused, by code: {{code}}')
    const isRising = (label: string, value: string) => (series: readonly Series[]) =>
      series.some(({ labels, value: rate }) => labels[label] === value && rate > 0)
    await returns(refused, isRising('code', 'invalid'))
    wanderer.socket.io.engine?.close()
    await returns(exprOf('Recoveries, by result: {{result}}'), isRising('result', 'recovered'))
    await returns(exprOf('Opened and closed: opened'), ([opened]) => (opened?.value ?? 0) > 0)
  })

  it('shows whom tokens, hooks, keys and moderators let in and whom they refuse', async () => {
    const access = (name: string): string => exprOf(name, 'access.json')
    const has =
      (...wanted: string[]) =>
      (series: readonly Series[]) =>
        series.some(
          ({ labels, value }) =>
            value > 0 && wanted.every((one) => Object.values(labels).includes(one)),
        )
    // Whoever comes back shows its token again, and is asked about again.
    wanderer.socket.io.engine?.close()
    const kick = `${deployment.brokers[0]?.url}/v1/rooms/attic/kick`
    const headers = { 'content-type': 'application/json' }
    await fetch(kick, { method: 'POST', headers, body: JSON.stringify({ user: 'nobody' }) })
    const questions = access('Questions to the backend, by result: {{hook}} {{result}}')
    await Promise.all([
      returns(access('Tokens, by result: {{result}}'), has('accepted')),
      returns(questions, has('join', 'allowed')),
      returns(questions, has('say', 'allowed')),
      returns(access('Duration of the answers, p99: {{hook}}'), has('say')),
      returns(access('Acts of moderators: {{action}} {{result}}'), has('kick')),
      returnsValue(`sum(${access('Open APIs: {{pod}}')})`, 2),
    ])
  })

  it('shows a gateway that drains, until it has ended', async () => {
    const gateway = deployment.gateways[2] as TestService
    gateway.signal('SIGTERM')
    await Promise.all([
      returnsValue(exprOf('Starting and ending: draining'), 1),
      returnsValue(`sum(${exprOf('Draining: {{pod}}')})`, 1),
      returnsValue('count(ALERTS{alertname="RoomcastDrainStuck", alertstate="pending"})', 1),
    ])
    await gateway.ended()
    await returnsValue(exprOf('Starting and ending: draining'), 0)
    await returnsValue(exprOf('Gateways that are ready: ready'), 2)
  })
})
