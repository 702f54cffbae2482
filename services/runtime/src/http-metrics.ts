import type { Meter } from '@opentelemetry/api'
import type { FastifyInstance } from 'fastify'

/** Up to the longest time for which a long poll may wait, in seconds. */
const DURATION_BUCKETS = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60]

/** The label of a request that no route took. */
export const NO_ROUTE = 'none'

/** Classes of HTTP statuses, as they are labelled. */
export const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** Measures the requests of an HTTP API but streams, by route and class of status. */
export function measureRequests(app: FastifyInstance, meter: Meter, service: string): void {
  const duration = meter.createHistogram(`roomcast_${service}_http_duration_seconds`, {
    description:
      'How long requests of the HTTP API took, by route and class of status: streams left out, the waiting of long polls included.',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  })
  app.addHook('onResponse', ({ routeOptions }, reply, done) => {
    if (routeOptions.config.isStream !== true) {
      const status = STATUS_CLASSES[Math.floor(reply.statusCode / 100) - 1] ?? '5xx'
      duration.record(reply.elapsedTime / 1_000, { route: routeOptions.url ?? NO_ROUTE, status })
    }
    done()
  })
}
