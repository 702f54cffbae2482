/**
 * What the dashboards ask Prometheus. Every series is picked by `namespace` and `pod`: both ways in which the chart has its pods
 * scraped set these labels, and neither sets any other that tells one release from another. With a ServiceMonitor the operator
 * sets `job`, `service`, `endpoint` and `container` as well; by the annotations of the pods the usual configuration of Prometheus
 * copies the pods' own labels.
 */

const SERVICES = ['gateway', 'broker', 'presence'] as const
type Service = (typeof SERVICES)[number]
/** Whose pods: those of one service, or of all three. */
export type Pods = Service | 'any'

/** Series of a metric. By its name alone those of the service that the name says; a metric of every process needs `of`. */
export type Metric =
  | string
  | {
      readonly name: string
      readonly of?: Pods
      /** Matchers that narrow them down. */
      readonly where?: string
    }

/** Four scrapes or more, whatever the interval of the scrapes and the time that is shown. */
const WINDOW = '[$__rate_interval]'

/** What the name of a pod has after that of its Deployment: two words, or one where the name is at its longest. */
const POD_SUFFIX = '-[^-]+(-[^-]+)?'

/** The values of the variable `namespace`. */
export const NAMESPACES = 'label_values(roomcast_gateway_connections, namespace)'

/** The values of the variable `release` come from names of pods; the part in parentheses is one. */
export const RELEASES = {
  query: 'label_values(roomcast_gateway_connections{namespace="$namespace"}, pod)',
  regex: `/^(.+)-gateway${POD_SUFFIX.replace('(', '(?:')}$/`,
} as const

/** The values of the variable `pod`. */
export const podsOf = (of: Pods): string =>
  `label_values(${series({ name: 'roomcast_ready', of })}, pod)`

/** Narrows down to the pods that are chosen. */
export const CHOSEN = 'pod=~"$pod"'

/** The series of a metric, of one release. */
export function series(metric: Metric): string {
  const {
    name,
    where,
    of = serviceOf(name),
  } = typeof metric === 'string' ? { name: metric } : metric
  if (of === undefined) throw new Error(`say whose ${name}: it is not a metric of one service`)
  const services = of === 'any' ? `(${SERVICES.join('|')})` : of
  // In full: a release `chat` must not take the pods of another one called `chat-gateway`.
  const pod = `pod=~"$release-${services}${POD_SUFFIX}"`
  return `${name}{${['namespace="$namespace"', pod, where].filter(Boolean).join(', ')}}`
}

function serviceOf(name: string): Service | undefined {
  return SERVICES.find((service) => name.startsWith(`roomcast_${service}_`))
}

export const sum = (metric: Metric): string => `sum(${series(metric)})`

export const sumBy = (label: string, metric: Metric): string =>
  `sum by (${label}) (${series(metric)})`

export const maxBy = (label: string, metric: Metric): string =>
  `max by (${label}) (${series(metric)})`

/** Of a counter, a second. */
export const rate = (metric: Metric): string => `sum(rate(${series(metric)}${WINDOW}))`

export const rateBy = (labels: string, metric: Metric): string =>
  `sum by (${labels}) (rate(${series(metric)}${WINDOW}))`

/** By how much a counter grew in the time that is shown. */
export const growth = (metric: Metric): string => `sum(increase(${series(metric)}[$__range]))`

/** Every replica of presence knows the whole; the one that knows most counts, since a young one does not know all yet. */
export const known = (metric: Metric): string => `max(${series(metric)})`

/** 0 where there is no series at all, which is no better. */
export const orNone = (expr: string): string => `${expr} or vector(0)`

/** A histogram: its name without `_bucket`. */
type Histogram = Metric

const bucketsOf = (histogram: Histogram): Metric =>
  typeof histogram === 'string'
    ? `${histogram}_bucket`
    : { ...histogram, name: `${histogram.name}_bucket` }

export const buckets = (histogram: Histogram): string => rateBy('le', bucketsOf(histogram))

/** A quantile of a histogram over all replicas; without observations there is none. */
export const quantile = (q: number, histogram: Histogram): string =>
  `histogram_quantile(${q}, ${buckets(histogram)})`

export const quantileBy = (label: string, q: number, histogram: Histogram): string =>
  `histogram_quantile(${q}, ${rateBy(`${label}, le`, bucketsOf(histogram))})`
