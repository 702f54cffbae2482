import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics'
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import { measureProcess } from './process-metrics.ts'
import type { Telemetry } from './telemetry.ts'

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

/** OpenTelemetry's SDK for one service. What is the process's own (its memory, its event loop) is told with each service of it. */
export function startSdk(service: string, version: string): Telemetry {
  const exporter = new Exporter({ preventServerStart: true, withoutScopeInfo: true })
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      [ATTR_SERVICE_NAME]: `roomcast-${service}`,
      [ATTR_SERVICE_VERSION]: version,
    }),
    readers: [exporter],
  })
  const process = measureProcess(provider, service, version)
  return {
    meter: provider.getMeter(`roomcast-${service}`, version),
    scrape: (req, res) => exporter.getMetricsRequestHandler(req, res),
    close: async () => {
      process.stop()
      await provider.shutdown()
    },
  }
}
