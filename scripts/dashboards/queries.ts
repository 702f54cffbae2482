/**
 * What the dashboards ask Prometheus. Every series is picked by `namespace` and `pod`: both ways in which the chart has its pods
 * scraped set these labels, and neither sets any other that tells one release from another. With a ServiceMonitor the operator
 * sets `job`, `service`, `endpoint` and `container` as well; by the annotations of the pods the usual configuration of Prometheus
 * copies the pods' own labels.
 */

type Service = 'gateway' | 'broker' | 'presence'

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

/** The series of a metric `roomcast_<service>_…`, of one release. `matchers` narrow them down. */
export function series(name: string, matchers = ''): string {
  const service = /^roomcast_(gateway|broker|presence)_/.exec(name)?.[1] as Service | undefined
  if (service === undefined) throw new Error(`${name} is not a metric of a service`)
  // Of one service alone, and in full: a release `chat` must not take the pods of another one called `chat-gateway`.
  const pod = `pod=~"$release-${service}${POD_SUFFIX}"`
  return `${name}{namespace="$namespace", ${pod}${matchers === '' ? '' : `, ${matchers}`}}`
}

export const sum = (name: string): string => `sum(${series(name)})`

export const sumBy = (label: string, name: string): string => `sum by (${label}) (${series(name)})`

/** Of a counter, a second. */
export const rate = (name: string, matchers = ''): string =>
  `sum(rate(${series(name, matchers)}${WINDOW}))`

export const rateBy = (label: string, name: string): string =>
  `sum by (${label}) (rate(${series(name)}${WINDOW}))`

/** Every replica of presence knows the whole; the one that knows most counts, since a young one does not know all yet. */
export const known = (name: string): string => `max(${series(name)})`

export const knownBy = (label: string, name: string): string =>
  `max by (${label}) (${series(name)})`

/** A quantile of a histogram over all replicas; without observations there is none. */
export const quantile = (q: number, histogram: string): string =>
  `histogram_quantile(${q}, ${rateBy('le', `${histogram}_bucket`)})`

/** No counter has them: what was closed, and by how much the number grew beside that. */
export const opened = (): string => {
  const growth = `sum(deriv(${series('roomcast_gateway_connections')}${WINDOW}))`
  return `clamp_min(${rate('roomcast_gateway_closed_total')} + ${growth}, 0)`
}

/** How many replicas of a service are scraped, by a gauge that each of them has. */
export const replicas = (gauge: string): string => `count(${sumBy('pod', gauge)})`
