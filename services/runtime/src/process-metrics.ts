import type { MeterProvider } from '@opentelemetry/api'
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node'

/** How often the delay of the event loop is sampled, in milliseconds. Each sample is a timer, and Node counts this as a part of the delay. */
export const EVENT_LOOP_SAMPLE_MS = 20

/**
 * Measures the process: Node's event loop, garbage collection and heap by OpenTelemetry's instrumentation, and under the names that
 * Prometheus's own clients use, what the operating system gives it. All of it is read at a scrape, but samples of the loop's delay and
 * the garbage collector's own reports.
 */
export function measureProcess(
  provider: MeterProvider,
  service: string,
  version: string,
): {
  stop(): void
  /** Spans were sent to the collector, or could not be. */
  exported(spans: number, isTaken: boolean): void
} {
  const runtime = new RuntimeNodeInstrumentation({ monitoringPrecision: EVENT_LOOP_SAMPLE_MS })
  runtime.setMeterProvider(provider)

  const meter = provider.getMeter('roomcast-process', version)
  const startedAt = Date.now() / 1_000 - process.uptime()
  meter
    .createObservableGauge('roomcast_build_info', {
      description: 'Always 1; its labels say what runs.',
    })
    .addCallback((gauge) => gauge.observe(1, { service, version, node: process.versions.node }))
  meter
    .createObservableGauge('process_resident_memory_bytes', {
      description: 'Memory of the process that is in RAM.',
      unit: 'By',
    })
    .addCallback((gauge) => gauge.observe(process.memoryUsage.rss()))
  meter
    .createObservableCounter('process_cpu_seconds_total', {
      description: 'CPU time of the process, all threads, in user and kernel mode.',
      unit: 's',
    })
    .addCallback((counter) => {
      const { user, system } = process.cpuUsage()
      counter.observe((user + system) / 1_000_000)
    })
  meter
    .createObservableGauge('process_start_time_seconds', {
      description: 'When the process was started, since 1970.',
      unit: 's',
    })
    .addCallback((gauge) => gauge.observe(startedAt))
  const spans = meter.createCounter('roomcast_spans_exported_total', {
    description: 'Spans of traces sent to the collector, by result. Nothing while tracing is off.',
  })
  for (const result of ['ok', 'failed']) spans.add(0, { result })
  return {
    stop: () => runtime.disable(),
    exported: (count, isTaken) => spans.add(count, { result: isTaken ? 'ok' : 'failed' }),
  }
}
