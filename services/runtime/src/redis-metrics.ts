import type { Meter } from '@opentelemetry/api'

/** From a quarter of a millisecond to the time after which a peer counts as silent. */
const DURATION_BUCKETS = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
]

/** Redis answered, or did not. `durationMs` is from the call to its answer. */
export type RedisTold<C extends string> = (
  command: C,
  durationMs: number,
  isAnswered: boolean,
) => void

/**
 * Measures what a service asks of Redis: how long, and how often without an answer or with an error. It is told by the room log of whole
 * calls, such as the append of many batches: see docs/adr/0016.
 */
export function measureRedis<C extends string>(
  meter: Meter,
  service: string,
  commands: readonly C[],
): RedisTold<C> {
  const duration = meter.createHistogram(`roomcast_${service}_redis_duration_seconds`, {
    description: 'How long Redis took to answer what it was asked together, by what was asked.',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  })
  const failures = meter.createCounter(`roomcast_${service}_redis_failures_total`, {
    description: 'Times that Redis did not answer, or with an error, by what was asked.',
  })
  // Zeros from the start: an alert on the first failure needs a number before it.
  const labels = new Map(commands.map((command) => [command, { command }]))
  for (const label of labels.values()) failures.add(0, label)
  return (command, durationMs, isAnswered) => {
    const label = labels.get(command)
    duration.record(durationMs / 1_000, label)
    if (!isAnswered) failures.add(1, label)
  }
}
