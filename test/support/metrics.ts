import type { Deployment, TestService } from './deployment.ts'

/** A metric as a scrape shows it. */
export interface ScrapedMetric {
  readonly name: string
  readonly type: string
  /** The values that each label has among its series; `le` of histograms left out. */
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>
}

const SERVICES = ['gateways', 'brokers', 'presences'] as const

/** Every metric that the replicas of a deployment show right now, by service and name: whatever a dashboard asks for has to be among them. */
export async function liveMetrics(
  deployment: Pick<Deployment, (typeof SERVICES)[number]>,
): Promise<Readonly<Record<(typeof SERVICES)[number], ReadonlyMap<string, ScrapedMetric>>>> {
  const [gateways, brokers, presences] = await Promise.all(
    SERVICES.map(async (name) => {
      const pages = await Promise.all(deployment[name].map(scrape))
      return parseMetrics(pages.join('\n'))
    }),
  )
  const none = new Map<string, ScrapedMetric>()
  return { gateways: gateways ?? none, brokers: brokers ?? none, presences: presences ?? none }
}

async function scrape({ metricsUrl }: Pick<TestService, 'metricsUrl'>): Promise<string> {
  const response = await fetch(`${metricsUrl}/metrics`)
  if (!response.ok) throw new Error(`${metricsUrl}/metrics answered ${response.status}`)
  return response.text()
}

/** The metrics of one or more pages in Prometheus text form. */
export function parseMetrics(text: string): Map<string, ScrapedMetric> {
  const metrics = new Map<
    string,
    { name: string; type: string; labels: Map<string, Set<string>> }
  >()
  for (const line of text.split('\n')) {
    const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (name !== undefined && type !== undefined && !metrics.has(name))
      metrics.set(name, { name, type, labels: new Map() })
    const [, series, labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? []
    if (series === undefined) continue
    const metric = metrics.get(series) ?? metrics.get(series.replace(/_(bucket|sum|count)$/, ''))
    if (metric === undefined) throw new Error(`a series without a type: ${line}`)
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      if (label === 'le') continue
      const values = metric.labels.get(label) ?? new Set()
      metric.labels.set(label, values.add(value))
    }
  }
  return metrics
}
