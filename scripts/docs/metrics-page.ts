import { CALL_RESULTS, PEERS } from '@roomcast/gateway'
import { REDIS_COMMANDS } from '@roomcast/roomlog'
import { NO_ROUTE, STATUS_CLASSES } from '@roomcast/runtime/http-api'
import { HOOKS } from '../../services/gateway/src/hooks/hook-facts.ts'
import { EVENT_LOOP_SAMPLE_MS } from '../../services/runtime/src/process-metrics.ts'
import type { RecordedMetric } from './recorded-metrics.ts'
import type { ServiceMetrics } from './service-metrics.ts'

/** Labels whose values are not the same in every installation, and what they are. Each has few values at a time. */
const OPEN_LABELS: Readonly<Record<string, string>> = {
  gateway: 'name of the pod',
  service: '`gateway`, `broker`, `presence`',
  version: 'version of Roomcast',
  node: 'version of Node',
  v8js_heap_space_name: "V8's name of the space",
  v8js_resource_type: "Node's name of the kind",
}

/** Labels of metrics that have no figures, and so no labels, before something happened. By the end of the metric's name. */
const LATE_LABELS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  _http_duration_seconds: {
    route: `path of the route as in \`/openapi.json\`, \`${NO_ROUTE}\` where there is none`,
    status: values(STATUS_CLASSES),
  },
  _hook_duration_seconds: { hook: values(HOOKS) },
  _redis_duration_seconds: { command: values(REDIS_COMMANDS) },
  _call_duration_seconds: { peer: values(PEERS), result: values(CALL_RESULTS) },
  // The secret of hooks where it is in a file.
  roomcast_gateway_secret_rereads_total: { secret: values(['internal_token', 'hook_secret']) },
  roomcast_presence_connections: { gateway: OPEN_LABELS['gateway'] ?? '' },
  v8js_gc_duration: { v8js_gc_type: values(['major', 'minor', 'incremental', 'weakcb']) },
}

const UNITS: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': 'share' }

/** docs/metrics.md: every metric of every service, in Markdown that is not yet formatted. */
export function metricsPage(
  common: readonly RecordedMetric[],
  services: readonly ServiceMetrics[],
): string {
  return [
    '<!-- Generated from what the services register by `npm run docs:generate`: change it there. -->',
    '# Metrics',
    'Each service answers `GET /metrics` on its metrics port (9464) in Prometheus text form. [Operations](operations.md#metrics) says how to scrape, [decision 0016](adr/0016-telemetry.md) how it is measured and what that costs. Names are as Prometheus has them; a histogram has `_bucket`, `_sum` and `_count` after its name. Every label has few values: none is a room, a user or a connection. A counter with a closed set of labels is there with 0 from the start, a histogram from its first measurement on.',
    '## Every service',
    `\`target_info\` has the service and its version as OpenTelemetry names them. The delays of the event loop are those since the last scrape, and contain the ${EVENT_LOOP_SAMPLE_MS} ms between two samples: an idle loop shows ${EVENT_LOOP_SAMPLE_MS / 1_000}.`,
    table(common),
    ...services.flatMap(({ name, metrics }) => [`## ${name}`, table(metrics)]),
  ].join('\n\n')
}

function table(metrics: readonly RecordedMetric[]): string {
  const lines = [...metrics]
    .sort((a, b) => a.name.localeCompare(b.name, 'en'))
    .map((metric) => {
      if (metric.help === '') throw new Error(`the metric ${metric.name} does not say what it is`)
      const unit = metric.unit === undefined ? '' : (UNITS[metric.unit] ?? 'number')
      return row(`\`${metric.name}\``, metric.kind, unit, labelsOf(metric), metric.help)
    })
  const heads = ['Name', 'Type', 'Unit', 'Labels', 'Meaning']
  return [row(...heads), row(...heads.map(() => '---')), ...lines].join('\n')
}

function labelsOf({ name, labels }: RecordedMetric): string {
  const seen = [...labels].map(
    ([label, found]) => [label, OPEN_LABELS[label] ?? values([...found])] as const,
  )
  const late = Object.entries(LATE_LABELS)
    .filter(([end]) => name.endsWith(end))
    .flatMap(([, described]) => Object.entries(described))
  return [...new Map([...seen, ...late])]
    .map(([label, meaning]) => `\`${label}\`: ${meaning}`)
    .join('; ')
}

function values(set: readonly string[]): string {
  return set.map((value) => `\`${value}\``).join(', ')
}

function row(...cells: readonly string[]): string {
  const text = cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' '))
  return `| ${text.join(' | ')} |`
}
