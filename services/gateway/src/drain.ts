import type { Log } from '@roomcast/runtime'
import type { Connections } from './connections.ts'

/** How often a drain closes its next few connections, in milliseconds. */
const TICK_MS = 100
/** Connections that a drain closes a second at most, whatever the spread: what the other gateways can take in. */
export const DRAIN_MAX_PER_SECOND = 2_000

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
  const maxPerTick = Math.ceil((DRAIN_MAX_PER_SECOND * TICK_MS) / 1_000)
  while (connections.open() > 0) {
    const elapsedMs = now() - started
    connections.close(
      dueToClose({
        open: connections.open() - connections.closing(),
        total,
        elapsedMs,
        spreadMs,
        maxPerTick,
      }),
    )
    await new Promise((resolve) => {
      setTimeout(resolve, TICK_MS)
    })
  }
  log.info({ connections: total, tookMs: now() - started }, 'closed all connections')
}
