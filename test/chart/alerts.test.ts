import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { stringify } from 'yaml'
import { alertsOf, type AlertRule } from '../support/alerts.ts'
import { at, find, findHelms, run, ROOT, type Helm, type Values } from './helm.ts'
import { ON_ACCESS } from './situations/access.ts'
import { ON_CONNECTIONS } from './situations/connections.ts'
import { ON_MESSAGES } from './situations/messages.ts'
import { ON_PRESENCE } from './situations/presence.ts'
import { ON_RESOURCES } from './situations/resources.ts'

const RUNBOOK = `${ROOT}docs/runbook.md`
/** promtool makes a database for each situation, which takes a busy machine a while. In milliseconds. */
const PROMTOOL_LIMIT_MS = 60_000

const SITUATIONS = [
  ...ON_CONNECTIONS,
  ...ON_MESSAGES,
  ...ON_PRESENCE,
  ...ON_ACCESS,
  ...ON_RESOURCES,
]

const helms = await findHelms()

const prometheusRule = async (helm: Helm, values: Values = {}) =>
  find(
    await helm.render({ metrics: { prometheusRule: { enabled: true, ...values } } }),
    'PrometheusRule',
    '',
  )

/** Runs promtool on rules, and on cases if there are any. Rejects with what it says when it does not agree. */
async function promtool(groups: unknown, cases: readonly object[] = []): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roomcast-rules-'))
  try {
    const [rules, tests] = [join(folder, 'rules.yaml'), join(folder, 'tests.yaml')]
    await writeFile(rules, stringify({ groups }))
    await writeFile(
      tests,
      stringify({ rule_files: [rules], evaluation_interval: '1m', tests: cases }),
    )
    await run('promtool', ['check', 'rules', '--lint-fatal', rules])
    if (cases.length > 0)
      await run('promtool', ['test', 'rules', tests], undefined, PROMTOOL_LIMIT_MS)
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${stdout}${stderr}`, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it(
  'every alert fires when it should, says what is the matter, and is quiet otherwise',
  async () => {
    const [helm] = helms
    const rule = await prometheusRule(helm as Helm)
    const alerts = new Map(alertsOf(rule).map((alert) => [alert.alert, alert]))
    const cases = SITUATIONS.map(({ alert, when, series, at, fires }) => {
      const { annotations, labels } = alerts.get(alert) as AlertRule
      return {
        name: `${alert}: ${when}`,
        interval: '1m',
        input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
        alert_rule_test: [
          {
            eval_time: `${at}m`,
            alertname: alert,
            exp_alerts: fires.map(({ labels: own, says }) => ({
              exp_labels: { namespace: 'rooms', ...labels, ...own },
              exp_annotations: { ...annotations, description: says },
            })),
          },
        ],
      }
    })
    await promtool(at(rule, 'spec.groups'), cases)
    const named = (isFiring: boolean) =>
      new Set(
        SITUATIONS.flatMap(({ alert, fires }) => (fires.length > 0 === isFiring ? [alert] : [])),
      )
    expect(named(true)).toEqual(new Set(alerts.keys()))
    expect(named(false)).toEqual(new Set(alerts.keys()))
  },
  PROMTOOL_LIMIT_MS,
)

describe.each(helms)('with $name', (helm) => {
  it('there are no alerts unless they are asked for', async () => {
    expect((await helm.render()).filter(({ kind }) => kind === 'PrometheusRule')).toEqual([])
  })

  it('every alert has a severity, and its section of the runbook', async () => {
    const alerts = alertsOf(await prometheusRule(helm))
    for (const { alert, labels, annotations } of alerts) {
      expect(labels).toEqual({
        severity: expect.stringMatching(/^(critical|warning)$/),
        release: 'chat-roomcast',
      })
      expect(annotations).toEqual({
        summary: expect.stringMatching(/^[A-Z].*[^.]$/),
        description: expect.stringMatching(/\.$/),
        runbook_url: `docs/runbook.md#${alert.toLowerCase()}`,
      })
    }
    const runbook = await readFile(RUNBOOK, 'utf8')
    const sections = [...runbook.matchAll(/^### (Roomcast\w+)$/gm)].map(([, name]) => name)
    expect(sections).toEqual(alerts.map(({ alert }) => alert))
  })

  it('rules are found by the labels that are given, and are as the values say', async () => {
    const rule = await prometheusRule(helm, {
      labels: { release: 'kube-prometheus-stack' },
      alertLabels: { team: 'chat', severity: 'page' },
      runbookUrl: 'https://runbooks.example.org/roomcast',
      disabled: ['RoomcastGaps'],
      thresholds: { deliverySeconds: 0.4, connectionsPerGateway: 20000 },
      extraRules: [{ record: 'chat:connections', expr: 'sum(roomcast_gateway_connections)' }],
    })
    expect(rule.metadata.labels).toMatchObject({ release: 'kube-prometheus-stack' })
    const alerts = new Map(alertsOf(rule).map((alert) => [alert.alert, alert]))
    expect(alerts.has('RoomcastGaps')).toBe(false)
    expect(alerts.get('RoomcastDegraded')).toMatchObject({
      labels: { team: 'chat', severity: 'page', release: 'chat-roomcast' },
      annotations: { runbook_url: 'https://runbooks.example.org/roomcast#roomcastdegraded' },
    })
    expect(alerts.get('RoomcastDeliverySlow')?.expr).toMatch(/> 0\.4$/)
    expect(alerts.get('RoomcastConnectionsHigh')?.expr).toMatch(/> 20000$/)
    expect(at(rule, 'spec.groups.5.rules')).toEqual([
      { record: 'chat:connections', expr: 'sum(roomcast_gateway_connections)' },
    ])
    await promtool(at(rule, 'spec.groups'))
  })

  it('rules follow the limits and times of the pods', async () => {
    const rendered = await helm.render({
      metrics: { prometheusRule: { enabled: true } },
      gateway: {
        resources: { limits: { memory: '1.5Gi' } },
        settings: { outboxMaxMessages: 400 },
        drain: { spreadSeconds: 100 },
      },
      broker: { resources: { limits: { memory: '512M' } } },
      presence: { resources: null },
      redis: { mode: 'external', external: { url: 'redis://redis.example.org' } },
    })
    const rule = find(rendered, 'PrometheusRule', '')
    const alerts = new Map(alertsOf(rule).map((alert) => [alert.alert, alert]))
    const memory = alerts.get('RoomcastMemoryHigh')?.expr
    expect(memory?.match(/\/ \d+/g)).toEqual(['/ 1610612736', '/ 512000000'])
    expect(alerts.get('RoomcastOutboxFilling')?.expr).toMatch(/> 200$/)
    expect(alerts.get('RoomcastDrainStuck')?.for).toBe('175s')
    await promtool(at(rule, 'spec.groups'))
  })

  it('rules follow the limits of connections', async () => {
    const alertsWith = async (limits: Values) => {
      const rendered = await helm.render({ metrics: { prometheusRule: { enabled: true } }, limits })
      const rule = find(rendered, 'PrometheusRule', '')
      await promtool(at(rule, 'spec.groups'))
      return new Map(alertsOf(rule).map(({ alert, expr }) => [alert, expr]))
    }
    const limited = await alertsWith({ connectionsPerGateway: 8000, connectRatePerGateway: 200 })
    expect(limited.get('RoomcastConnectionsHigh')).toMatch(/> 6400$/)
    expect(limited.get('RoomcastHandshakesWaiting')).toMatch(/> 200$/)
    const unlimited = await alertsWith({ connectionsPerGateway: 0, connectRatePerGateway: 0 })
    expect(unlimited.get('RoomcastConnectionsHigh')).toMatch(/> 10000$/)
    expect(unlimited.has('RoomcastHandshakesWaiting')).toBe(false)
  })

  it('refuses an alert that there is not', async () => {
    const refusal = await helm.refusal({
      metrics: { prometheusRule: { disabled: ['RoomcastGap'] } },
    })
    expect(refusal).toContain('disabled')
    const schema = JSON.parse(
      await readFile(`${ROOT}charts/roomcast/values.schema.json`, 'utf8'),
    ) as object
    const path = 'properties.metrics.properties.prometheusRule.properties.disabled.items.enum'
    expect(at(schema, path)).toEqual(alertsOf(await prometheusRule(helm)).map(({ alert }) => alert))
  })
})
