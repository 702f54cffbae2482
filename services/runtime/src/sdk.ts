import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics'
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import { measureProcess } from './process-metrics.ts'
import type { Telemetry } from './telemetry.ts'
import type { TraceConfig } from './trace-config.ts'
import type { startTraces } from './trace-sdk.ts'

/**
 * Tells of each observable gauge what was observed in this scrape. Cumulative, which is the exporter's own choice, a series that is
 * gone (a gateway's, say) would be repeated with its last value for ever.
 */
class Exporter extends PrometheusExporter {
  override selectAggregationTemporality(type: InstrumentType): AggregationTemporality {
    return type === InstrumentType.OBSERVABLE_GAUGE
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE
  }
}

/**
 * OpenTelemetry's SDK for one service. What is the process's own (its memory, its event loop) is told with each service of it. Without
 * `start`, which is loaded only where traces are asked for, there are none.
 */
export function startSdk(
  service: string,
  version: string,
  config: TraceConfig | undefined,
  start: typeof startTraces | undefined,
): Telemetry {
  const exporter = new Exporter({ preventServerStart: true, withoutScopeInfo: true })
  const resource = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: `roomcast-${service}`,
    [ATTR_SERVICE_VERSION]: version,
  })
  const provider = new MeterProvider({ resource, readers: [exporter] })
  const process = measureProcess(provider, service, version)
  const traces = config === undefined ? undefined : start?.(resource, config, process.exported)
  return {
    meter: provider.getMeter(`roomcast-${service}`, version),
    tracer: traces?.tracer,
    scrape: (req, res) => exporter.getMetricsRequestHandler(req, res),
    close: async () => {
      process.stop()
      await traces?.close()
      await provider.shutdown()
    },
  }
}
