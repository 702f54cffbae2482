/** Things that happen a fixed time after they were put in, unless they are all hastened. One timer serves them all. */
export interface Quits<T> {
  /** Announces `quit` when the grace is over. */
  add(quit: T): void
  /** Announces all that wait, now; resolves when they are, and all that were due before. */
  flush(): Promise<void>
  /** Resolves when none waits any more, each after its grace. */
  settled(): Promise<void>
  /** Quits that wait or are being announced. */
  size(): number
}

/** Holds back the quits of broken connections for `graceMs`: all wait equally long, so the first in is the first out. */
export function createQuits<T>(
  graceMs: number,
  { now, announce }: { now: () => number; announce: (quit: T) => Promise<void> },
): Quits<T> {
  const waiting: { readonly quit: T; readonly at: number }[] = []
  const underWay = new Set<Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let onSettled: () => void = () => undefined

  const start = (quit: T): void => {
    const done = announce(quit).finally(() => {
      underWay.delete(done)
      if (waiting.length + underWay.size === 0) onSettled()
    })
    underWay.add(done)
  }

  const run = (): void => {
    timer = undefined
    const due = waiting.findIndex(({ at }) => at > now())
    for (const { quit } of waiting.splice(0, due === -1 ? waiting.length : due)) start(quit)
    arm()
  }
  const arm = (): void => {
    const first = waiting[0]
    if (first === undefined || timer !== undefined) return
    timer = setTimeout(run, Math.max(0, first.at - now()))
    timer.unref()
  }

  return {
    add(quit) {
      if (graceMs === 0) {
        start(quit)
        return
      }
      waiting.push({ quit, at: now() + graceMs })
      arm()
    },
    async flush() {
      clearTimeout(timer)
      timer = undefined
      for (const { quit } of waiting.splice(0)) start(quit)
      await Promise.all(underWay)
    },
    async settled() {
      if (waiting.length + underWay.size === 0) return
      await new Promise<void>((resolve) => {
        onSettled = resolve
      })
    },
    size: () => waiting.length + underWay.size,
  }
}
