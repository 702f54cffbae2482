import type { Log } from '@roomcast/runtime'
import type { Connections } from './connections.ts'

/** How often the next few connections are closed, in milliseconds. */
const TICK_MS = 100
/** Connections that are closed a second at most, whatever the spread: what the other gateways can take in. */
const MAX_PER_SECOND = 2_000

/**
 * How many connections to close now, so that their number goes down along a straight line from `total` at 0 to none at `spreadMs`, and
 * no faster than `maxPerTick`. A slope, not a cliff: those who come back arrive at the other gateways one after another.
 */
export function dueToClose(drain: {
  readonly open: number
  readonly total: number
  readonly elapsedMs: number
  readonly spreadMs: number
  readonly maxPerTick: number
}): number {
  const { open, total, elapsedMs, spreadMs, maxPerTick } = drain
  const share = spreadMs === 0 ? 0 : Math.max(0, 1 - elapsedMs / spreadMs)
  return Math.max(0, Math.min(open - Math.floor(total * share), maxPerTick))
}

/** Closes connections along the slope, tick by tick. Resolves when it is over. */
export async function closeAlong({
  total,
  spreadMs,
  left,
  close,
  isOver,
  now,
}: {
  readonly total: number
  readonly spreadMs: number
  /** Connections still to be closed. */
  readonly left: () => number
  readonly close: (count: number) => void
  readonly isOver: () => boolean
  readonly now: () => number
}): Promise<void> {
  const started = now()
  const maxPerTick = Math.ceil((MAX_PER_SECOND * TICK_MS) / 1_000)
  while (!isOver()) {
    const elapsedMs = now() - started
    const due = dueToClose({ open: left(), total, elapsedMs, spreadMs, maxPerTick })
    if (due > 0) close(due)
    await new Promise((resolve) => {
      setTimeout(resolve, TICK_MS)
    })
  }
}

/** Closes every connection along the slope. Resolves when none is open. */
export async function drain(
  connections: Connections,
  {
    spreadMs,
    now,
    log,
  }: { readonly spreadMs: number; readonly now: () => number; readonly log: Log },
): Promise<void> {
  const started = now()
  const total = connections.open()
  log.info({ connections: total, spreadMs }, 'closing connections')
  await closeAlong({
    total,
    spreadMs,
    left: () => connections.open() - connections.closing(),
    close: (count) => connections.close(count, 'drain'),
    isOver: () => connections.open() === 0,
    now,
  })
  log.info({ connections: total, tookMs: now() - started }, 'closed all connections')
}
