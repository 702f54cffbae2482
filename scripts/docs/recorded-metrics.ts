import type { Attributes, Meter, ObservableResult } from '@opentelemetry/api'

export type MetricKind = 'counter' | 'gauge' | 'histogram'

/** A metric as it is registered, and the labels that were seen on it. */
export interface RecordedMetric {
  /** As Prometheus names it. */
  readonly name: string
  readonly kind: MetricKind
  readonly help: string
  readonly unit: string | undefined
  readonly labels: Map<string, Set<string>>
}

interface Described {
  readonly description?: string
  readonly unit?: string
}
type Callback = (result: ObservableResult) => void | Promise<void>

/** A meter that keeps what is registered with it, with or without figures: a scrape shows no metric that has none yet. */
export function recordMetrics(): {
  readonly meter: Meter
  /** What is registered by now, in that order; observes everything once. */
  metrics(): Promise<readonly RecordedMetric[]>
} {
  const found = new Map<string, RecordedMetric>()
  const callbacks: (() => unknown)[] = []

  const register = (kind: MetricKind, name: string, options: Described = {}): RecordedMetric => {
    const plain = name.replaceAll('.', '_')
    const named = kind === 'counter' && !plain.endsWith('_total') ? `${plain}_total` : plain
    const { description: help = '', unit } = options
    // Who asks for it again gets the same one, as of a real meter.
    const known = found.get(named)
    if (known !== undefined) return known
    const metric = { name: named, kind, help, unit, labels: new Map<string, Set<string>>() }
    found.set(named, metric)
    return metric
  }
  const note = ({ labels }: RecordedMetric, attributes: Attributes = {}): void => {
    for (const [key, value] of Object.entries(attributes)) {
      const label = key.replaceAll('.', '_')
      const values = labels.get(label) ?? new Set()
      labels.set(label, values.add(String(value)))
    }
  }
  const observable = (kind: MetricKind) => (name: string, options?: Described) => {
    const metric = register(kind, name, options)
    const instrument = {
      metric,
      addCallback: (callback: Callback) =>
        callbacks.push(() =>
          callback({ observe: (_value: number, attributes) => note(metric, attributes) }),
        ),
      removeCallback: () => undefined,
    }
    return instrument
  }
  const adding = (kind: MetricKind) => (name: string, options?: Described) => {
    const metric = register(kind, name, options)
    const take = (_value: number, attributes?: Attributes): void => note(metric, attributes)
    return { add: take, record: take }
  }

  const meter = {
    createCounter: adding('counter'),
    createUpDownCounter: adding('gauge'),
    createGauge: adding('gauge'),
    createHistogram: adding('histogram'),
    createObservableCounter: observable('counter'),
    createObservableUpDownCounter: observable('gauge'),
    createObservableGauge: observable('gauge'),
    addBatchObservableCallback: (callback: (result: unknown) => unknown) =>
      callbacks.push(() =>
        callback({
          observe: ({ metric }: { metric: RecordedMetric }, _value: number, labels?: Attributes) =>
            note(metric, labels),
        }),
      ),
    removeBatchObservableCallback: () => undefined,
  } as unknown as Meter
  return {
    meter,
    async metrics() {
      await Promise.all(callbacks.map((observe) => observe()))
      return [...found.values()]
    },
  }
}
