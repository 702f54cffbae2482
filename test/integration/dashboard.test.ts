import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { joinRoom, type TestClient } from '../support/clients.ts'
import {
  interpolate,
  queriesOf,
  readDashboards,
  type DashboardVariable,
} from '../support/dashboard.ts'
import { startDeployment, type Deployment, type TestService } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { startPrometheus, type Series, type TestPrometheus } from '../support/prometheus.ts'

const NAMESPACE = 'rooms'
const RELEASE = 'chat-roomcast'
/** A release whose pods' names begin in the same way. */
const OTHER_RELEASE = 'chat-roomcast-gateway'
/** Twenty-five scrapes. */
const VALUES = { namespace: NAMESPACE, release: RELEASE, __rate_interval: '5s' }

const [dashboard] = await readDashboards()
if (dashboard === undefined) throw new Error('the chart has no dashboard')
const queries = queriesOf(dashboard)

let deployment: Deployment
let prometheus: TestPrometheus
const clients: TestClient[] = []
let wanderer: TestClient
let isLoaded = true
let load: Promise<void> = Promise.resolve()

/** A pod's name as a Deployment gives it. */
const podOf = (release: string, service: string, i: number): string =>
  `${release}-${service}-5d9f7c6b8-x2x4${i}`

const targets = (
  release: string,
  service: string,
  replicas: readonly TestService[],
): { url: string; labels: Record<string, string> }[] =>
  replicas.map(({ metricsUrl }, i) => ({
    url: metricsUrl,
    labels: { namespace: NAMESPACE, pod: podOf(release, service, i) },
  }))

const expression = (expr: string): string => interpolate(expr, VALUES)

/** The query of the dashboard by the title of its panel and its legend. */
const exprOf = (name: string): string => {
  const query = queries.find((query) => query.name === name)
  if (query === undefined) throw new Error(`the dashboard has no query ${name}`)
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

/** The same for a query of the dashboard whose series are told apart by a label. */
const returnsBy = (label: string, name: string, expected: Record<string, number>): Promise<void> =>
  returns(exprOf(name), (series) =>
    isDeepStrictEqual(
      Object.fromEntries(series.map(({ labels, value }) => [labels[label], value])),
      expected,
    ),
  )

async function talk(speaker: TestClient): Promise<void> {
  for (let i = 0; isLoaded; i++) await speaker.ask('say', { text: `message ${i}` })
}

/** Presence forgets a gateway that is silent, and asks for its state when it speaks again. */
async function silenceFor(gateway: TestService, known: () => Promise<number>): Promise<void> {
  gateway.signal('SIGSTOP')
  await until('one gateway less', async () => (await known()) === 1)
  gateway.signal('SIGCONT')
  await until('all gateways again', async () => (await known()) === 2)
}

beforeAll(async () => {
  deployment = await startDeployment({
    gateways: 2,
    presences: 2,
    env: { LEASE_MS: '2000', SAY_RATE_PER_SECOND: '1000000', SAY_BURST: '1000000' },
  })
  const { gateways, brokers, presences } = deployment
  prometheus = await startPrometheus([
    ...targets(RELEASE, 'gateway', gateways),
    ...targets(RELEASE, 'broker', brokers),
    ...targets(RELEASE, 'presence', presences),
    ...targets(OTHER_RELEASE, 'gateway', gateways),
  ])
  const join = async (i: number, room: string, polls = false): Promise<TestClient> => {
    const transports = polls ? ['polling'] : ['websocket']
    const client = await joinRoom(gateways[i]?.url ?? '', room, `member ${clients.length}`, {
      transports,
    })
    clients.push(client)
    return client
  }
  const speaker = await join(0, 'lobby')
  wanderer = await join(0, 'lobby')
  await join(1, 'lobby')
  await join(1, 'lobby', true)
  await join(1, 'library')
  load = talk(speaker)
  const [first, second] = [presences[0], gateways[1]]
  if (first === undefined || second === undefined) throw new Error('a replica is missing')
  await silenceFor(second, async () => {
    const page = await (await fetch(`${first.metricsUrl}/metrics`)).text()
    return Number(/^roomcast_presence_reporting_gateways (\d+)$/m.exec(page)?.[1])
  })
}, 60_000)

afterAll(async () => {
  isLoaded = false
  await load
  for (const client of clients) client.close()
  await prometheus[Symbol.asyncDispose]()
  await deployment[Symbol.asyncDispose]()
})

it('names no metric that the services do not have', async () => {
  const services = [...deployment.gateways, ...deployment.brokers, ...deployment.presences]
  const pages = await Promise.all(
    services.map(async ({ metricsUrl }) => (await fetch(`${metricsUrl}/metrics`)).text()),
  )
  const live = new Set(pages.join('\n').match(/^roomcast_\w+/gm))
  const named = new Set(dashboard.text.match(/\broomcast_(gateway|broker|presence)_\w+/g))
  expect(named.size).toBeGreaterThan(10)
  expect([...named].filter((name) => !live.has(name))).toEqual([])
})

it('offers the namespaces and releases that Prometheus knows', async () => {
  const offered = async (name: string): Promise<string[]> => {
    const variable = dashboard.variables.find((v) => v.name === name) as DashboardVariable
    const [, selector = '', label = ''] =
      /^label_values\((.+), (\w+)\)$/.exec(expression(variable.query)) ?? []
    const values = await prometheus.labelValues(selector, label)
    if (variable.regex === undefined) return values
    const regex = new RegExp(variable.regex.slice(1, -1))
    return [...new Set(values.flatMap((value) => regex.exec(value)?.[1] ?? []))]
  }
  expect(await offered('namespace')).toEqual([NAMESPACE])
  expect(await offered('release')).toEqual([RELEASE, OTHER_RELEASE])
})

describe('under load', () => {
  it.each(queries)('$name has data', async ({ expr }) => {
    await returns(expr, (series) => series.some(({ value }) => Number.isFinite(value)))
  })

  it('counts each connection once: in all, by gateway, by transport, and as presence knows it', async () => {
    await returns(exprOf('Connections: connections'), ([all]) => all?.value === 5)
    await returnsBy('pod', 'By gateway: {{pod}}', {
      [podOf(RELEASE, 'gateway', 0)]: 2,
      [podOf(RELEASE, 'gateway', 1)]: 3,
    })
    await returnsBy('transport', 'By transport: {{transport}}', { websocket: 4, polling: 1 })
    await returnsBy('gateway', 'Connections by gateway, as reported: {{gateway}}', {
      'gateway-1': 2,
      'gateway-2': 3,
    })
  })

  it('knows rooms and members of the whole, however many gateways a room is on', async () => {
    await returns(exprOf('Rooms: rooms'), ([rooms]) => rooms?.value === 2)
    await returns(exprOf('Members: members'), ([members]) => members?.value === 5)
  })

  it('has a delivery for each message and member of its room', async () => {
    const deliveries = `sum(${exprOf('Deliveries, by path: {{path}}')})`
    await returns(`${deliveries} / ${exprOf('Messages: received')}`, ([ratio]) => {
      // The two gateways are not scraped at the same moment.
      return ratio !== undefined && Math.abs(ratio.value - 4) < 0.5
    })
  })

  it('shows who broke off and came back', async () => {
    wanderer.socket.io.engine?.close()
    await returns(exprOf('Recoveries, by result: {{result}}'), (series) =>
      series.some(({ labels, value }) => labels['result'] === 'recovered' && value > 0),
    )
    await returns(exprOf('Opened and closed: opened'), ([opened]) => (opened?.value ?? 0) > 0)
  })
})
