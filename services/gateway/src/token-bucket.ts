/** What is left of a bucket, and when that was so. */
export interface Bucket {
  tokens: number
  at: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** How many seconds' worth of a rate may come at once after a pause, where nothing else is said. */
export const BURST_SECONDS = 10

export function rateOf(perSecond: number): Rate {
  return { perSecond, burst: BURST_SECONDS * perSecond }
}

export function fullBucket(rate: Rate, now: number): Bucket {
  return { tokens: rate.burst, at: now }
}

/**
 * Takes one token, changing the bucket. Returns 0 when there was one, else the milliseconds until there is.
 * Changed in place because one bucket per socket is touched by each of its messages.
 */
export function take(bucket: Bucket, rate: Rate, now: number): number {
  refill(bucket, rate, now)
  if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 1_000) / rate.perSecond)
  bucket.tokens -= 1
  return 0
}

/** Adds what came since the bucket was last looked at, changing it. */
export function refill(bucket: Bucket, rate: Rate, now: number): void {
  // A clock that was set back must not take tokens away.
  const passed = Math.max(0, now - bucket.at)
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (passed * rate.perSecond) / 1_000)
  bucket.at = now
}
