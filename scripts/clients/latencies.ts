import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js'

/** Latencies of a run or of a window: any number of samples in bounded memory, each to three digits. */
export interface Latencies {
  record(microseconds: number): void
  /** Adds what another process recorded. */
  add(packed: string): void
  /** Everything so far, to be sent to another process. */
  pack(): string
  summary(): LatencySummary
  reset(): void
}

/** In milliseconds; NaN without a sample. */
export interface LatencySummary {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** Longer ones count as this. */
const MAX_US = 600_000_000
const DIGITS = 3

export function createLatencies(): Latencies {
  const histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_US,
    numberOfSignificantValueDigits: DIGITS,
    bitBucketSize: 32,
  })
  const ms = (percentile: number): number =>
    histogram.totalCount === 0 ? Number.NaN : histogram.getValueAtPercentile(percentile) / 1_000
  return {
    record: (microseconds) =>
      histogram.recordValue(Math.min(MAX_US, Math.max(1, Math.round(microseconds)))),
    add: (packed) => histogram.add(decodeFromCompressedBase64(packed)),
    pack: () => encodeIntoCompressedBase64(histogram),
    summary: () => ({
      count: histogram.totalCount,
      p50: ms(50),
      p90: ms(90),
      p99: ms(99),
      p999: ms(99.9),
      max: histogram.maxValue / 1_000,
    }),
    reset: () => histogram.reset(),
  }
}
