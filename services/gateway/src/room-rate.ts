import { fullBucket, rateOf, refill } from './token-bucket.ts'

/**
 * The rate of one room's messages in the whole cluster, kept by each gateway for itself: all of them see every message of the room, so that
 * all buckets empty alike. What is under way is held back as well. Gateways whose members speak in the same instant may let through one message each where
 * one had room; the next wait for longer then, so that for long the rate is kept.
 */
export interface RoomRate {
  /** Takes a place for a `say` and returns 0, or returns the milliseconds until there is one. */
  take(): number
  /** Gives that place back, once the message was logged, or was not. */
  settle(): void
  /** So many messages of the room were logged, whoever wrote them. */
  logged(messages: number): void
}

/** Undefined when there is no limit. */
export function createRoomRate(perSecond: number, now: () => number): RoomRate | undefined {
  if (perSecond === 0) return undefined
  const rate = rateOf(perSecond)
  const bucket = fullBucket(rate, now())
  let underWay = 0
  return {
    take() {
      refill(bucket, rate, now())
      const missing = 1 + underWay - bucket.tokens
      if (missing > 0) return Math.ceil((missing * 1_000) / perSecond)
      underWay++
      return 0
    },
    settle: () => void (underWay = Math.max(0, underWay - 1)),
    logged(messages) {
      refill(bucket, rate, now())
      // Below nothing, by what others let through at the same time: it is made up for.
      bucket.tokens = Math.max(-rate.burst, bucket.tokens - messages)
    },
  }
}
