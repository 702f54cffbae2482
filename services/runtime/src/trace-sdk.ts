import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import type { Resource } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { TraceConfig } from './trace-config.ts'

/** Spans that wait for the collector; more are dropped. */
const QUEUE_MAX = 2_048
/** How long spans are gathered before they are sent, in milliseconds. */
const EXPORT_DELAY_MS = 1_000
/** How long the collector may take to answer, its tries included, in milliseconds. */
const EXPORT_TIMEOUT_MS = 5_000
/** How long the last spans may hold up the end of a service, in milliseconds. */
const LAST_EXPORT_MS = 2_000

/** Tells how many spans were sent, or could not be. */
type OnExported = (spans: number, isTaken: boolean) => void

class Exporter extends OTLPTraceExporter {
  readonly #onExported: OnExported

  constructor({ url, headers }: TraceConfig, onExported: OnExported) {
    super({ url, headers: { ...headers }, timeoutMillis: EXPORT_TIMEOUT_MS })
    this.#onExported = onExported
  }

  override export(...[spans, done]: Parameters<OTLPTraceExporter['export']>): void {
    super.export(spans, (result) => {
      this.#onExported(spans.length, result.error === undefined)
      done(result)
    })
  }
}

/**
 * Spans of one service, sent to a collector. Which messages are traced is decided where they enter, so every span that is begun is sent.
 * A collector that is away costs what the queue holds, and is told by a metric.
 */
export function startTraces(resource: Resource, config: TraceConfig, onExported: OnExported) {
  // One for the process, which keeps the span that log lines name. Nothing else enters it.
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const provider = new TracerProvider({
    resource,
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new Exporter(config, onExported),
        maxQueueSize: QUEUE_MAX,
        scheduledDelayMillis: EXPORT_DELAY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  })
  return {
    tracer: provider.getTracer('roomcast'),
    async close(): Promise<void> {
      const timer = Promise.withResolvers<void>()
      const limit = setTimeout(timer.resolve, LAST_EXPORT_MS)
      // A collector that is away keeps no service from its end.
      await Promise.race([provider.shutdown().catch(() => undefined), timer.promise])
      clearTimeout(limit)
    },
  }
}
