import { fullBucket, take, type Rate } from './token-bucket.ts'

/** Lets new connections in at a pace that the gateway bears, in the order in which they came. */
export interface Admission {
  /**
   * Calls `enter` when it is this one's turn, at once or in a later turn of the event loop; several never in one turn, so that each finds
   * the others counted. Returns 0, or the milliseconds after which to try again when it would have to wait for too long.
   */
  ask(enter: () => void): number
  /** Gives the place of one that waits to the others. */
  leave(enter: () => void): void
  waiting(): number
  close(): void
}

/**
 * `perSecond` new connections for long, and one second's worth at once after a pause. Those beyond it wait, at most as many as will have their
 * turn within `waitMs`. Clients that all come at once, because every gateway was restarted, are so let in one after another, while
 * those who are told to come back find room when they do.
 */
export function createAdmission(
  { perSecond, waitMs }: { readonly perSecond: number; readonly waitMs: number },
  now: () => number,
): Admission | undefined {
  if (perSecond === 0) return undefined
  const rate: Rate = { perSecond, burst: perSecond }
  const waitingMax = Math.floor((perSecond * waitMs) / 1_000)
  const bucket = fullBucket(rate, now())
  const waiting = new Set<() => void>()
  let timer: NodeJS.Timeout | undefined

  const admit = (): void => {
    timer = undefined
    for (const enter of waiting) {
      const untilNextMs = take(bucket, rate, now())
      if (untilNextMs > 0) {
        timer = setTimeout(admit, untilNextMs)
        return
      }
      waiting.delete(enter)
      setImmediate(enter)
    }
  }
  return {
    ask(enter) {
      if (waiting.size === 0 && take(bucket, rate, now()) === 0) {
        enter()
        return 0
      }
      if (waiting.size >= waitingMax)
        return Math.max(1_000, Math.ceil((waiting.size * 1_000) / perSecond))
      waiting.add(enter)
      timer ??= setTimeout(admit, 1_000 / perSecond)
      return 0
    },
    leave: (enter) => void waiting.delete(enter),
    waiting: () => waiting.size,
    close() {
      clearTimeout(timer)
      waiting.clear()
    },
  }
}
