import { fullBucket, rateOf, take, type Bucket } from './token-bucket.ts'

/** Addresses that are remembered; of more the one that was silent for longest is forgotten, as if it had not come for a while. */
export const ADDRESSES_MAX = 65_536

/** A rate for each of many addresses, in bounded memory and without timers. */
export interface AddressRate {
  /** Takes one; returns 0, or the milliseconds until there is one. */
  take(address: string): number
}

/** Undefined when there is no limit. */
export function createAddressRate(perSecond: number, now: () => number): AddressRate | undefined {
  if (perSecond === 0) return undefined
  const rate = rateOf(perSecond)
  /** In the order in which they were last heard of. */
  const buckets = new Map<string, Bucket>()
  return {
    take(address) {
      const at = now()
      const bucket = buckets.get(address) ?? fullBucket(rate, at)
      buckets.delete(address)
      buckets.set(address, bucket)
      if (buckets.size > ADDRESSES_MAX) {
        const [oldest] = buckets.keys()
        if (oldest !== undefined) buckets.delete(oldest)
      }
      return take(bucket, rate, at)
    },
  }
}
