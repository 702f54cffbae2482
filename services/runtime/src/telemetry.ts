import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Meter } from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics'

/** The instruments of one service, and what scrapes them. */
export interface Telemetry {
  readonly meter: Meter
  /** Answers a scrape in Prometheus text form. */
  scrape(req: IncomingMessage, res: ServerResponse): void
  close(): Promise<void>
}

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

/** Each service has a provider of its own, so that several in one process (`npm start`) do not mix their figures. */
export function startTelemetry(service: string, version: string): Telemetry {
  const exporter = new Exporter({ preventServerStart: true })
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      'service.name': `roomcast-${service}`,
      'service.version': version,
    }),
    readers: [exporter],
  })
  return {
    meter: provider.getMeter(`roomcast-${service}`, version),
    scrape: (req, res) => exporter.getMetricsRequestHandler(req, res),
    close: () => provider.shutdown(),
  }
}
