/** What is left of a bucket, and when that was so. */
export interface Bucket {
  tokens: number
  at: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export function fullBucket(rate: Rate, now: number): Bucket {
  return { tokens: rate.burst, at: now }
}

/**
 * Takes one token, changing the bucket. Returns 0 when there was one, else the milliseconds until there is.
 * Changed in place because one bucket per socket is touched by each of its messages.
 */
export function take(bucket: Bucket, rate: Rate, now: number): number {
  // A clock that was set back must not take tokens away.
  const passed = Math.max(0, now - bucket.at)
  const tokens = Math.min(rate.burst, bucket.tokens + (passed * rate.perSecond) / 1_000)
  bucket.at = now
  if (tokens >= 1) {
    bucket.tokens = tokens - 1
    return 0
  }
  bucket.tokens = tokens
  return Math.ceil(((1 - tokens) * 1_000) / rate.perSecond)
}
