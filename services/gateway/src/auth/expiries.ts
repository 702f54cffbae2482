/** How often it is looked at whose time is over, in milliseconds: so late something may expire. */
const TICK_MS = 1_000

/** Things that end, each at its time. One timer serves them all, and runs while there are any. */
export interface Expiries<T> {
  /** Sets when it ends, or with undefined that it does not; what was said before counts no more. */
  set(item: T, at: number | undefined): void
  delete(item: T): void
  size(): number
  close(): void
}

/** Times are in milliseconds on the clock `now`, which may be set: an item ends when the clock says so. */
export function createExpiries<T extends object>({
  now,
  expire,
}: {
  readonly now: () => number
  readonly expire: (item: T) => void
}): Expiries<T> {
  const tickOf = new Map<T, number>()
  /** Those that end in the same tick together: a look costs as much as there are different ticks, not items. */
  const byTick = new Map<number, Set<T>>()
  let timer: NodeJS.Timeout | undefined

  const remove = (item: T): void => {
    const tick = tickOf.get(item)
    if (tick === undefined) return
    tickOf.delete(item)
    const together = byTick.get(tick)
    together?.delete(item)
    if (together?.size === 0) byTick.delete(tick)
  }
  const look = (): void => {
    const present = now() / TICK_MS
    for (const [tick, items] of byTick) {
      if (tick > present) continue
      for (const item of items) {
        remove(item)
        expire(item)
      }
    }
    if (tickOf.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    set(item, at) {
      remove(item)
      if (at === undefined) return
      const tick = Math.ceil(at / TICK_MS)
      tickOf.set(item, tick)
      const together = byTick.get(tick)
      if (together === undefined) byTick.set(tick, new Set([item]))
      else together.add(item)
      timer ??= setInterval(look, TICK_MS).unref()
    },
    delete: remove,
    size: () => tickOf.size,
    close: () => clearInterval(timer),
  }
}
