import type { Shed } from '@roomcast/protocol'
import type { Log } from '@roomcast/runtime'
import type { Connections } from './connections.ts'
import { closeAlong } from './drain.ts'

/** How long after its connection was closed a client may come back to be sent elsewhere, in milliseconds: stock clients take up to 5 s. */
const RETURN_MS = 10_000

/** Clients that were sent away and may come back by the cookie that pins them here. */
export interface Pinned {
  readonly clients: number
  /** When the last of them will have been back. */
  readonly untilMs: number
}

export const NOBODY_PINNED: Pinned = { clients: 0, untilMs: 0 }

/** So many more clients were sent away. */
export function sendAway(pinned: Pinned, clients: number, now: number): Pinned {
  return {
    clients: (now < pinned.untilMs ? pinned.clients : 0) + clients,
    untilMs: now + RETURN_MS,
  }
}

/**
 * What is left after a client came by its cookie and lost it; undefined when nobody is to lose his any more. As many are turned away as
 * were sent away: each goes without a cookie from then on, and a cookie that an ingress will not let go of keeps nobody out for long.
 */
export function unpin({ clients, untilMs }: Pinned, now: number): Pinned | undefined {
  return clients > 0 && now < untilMs ? { clients: clients - 1, untilMs } : undefined
}

/** Sends connections elsewhere when presence's leader asks for it. */
export interface Shedding {
  /** Closes so many connections along the slope. Nothing is added to what is under way: the leader asks again. */
  begin(shed: Shed): void
  /** Whether a client that came by the affinity cookie is to be turned away without it, so that it lands elsewhere. It counts as turned away. */
  turnsAway(): boolean
  /** Ends it for good: what is left to close is the drain's. */
  cancel(): void
}

export function createShedding(
  connections: Connections,
  { now, log }: { readonly now: () => number; readonly log: Log },
): Shedding {
  let pinned = NOBODY_PINNED
  let isShedding = false
  let isCancelled = false

  const run = async ({ connections: wanted, withinMs }: Shed): Promise<void> => {
    const total = Math.min(wanted, connections.open() - connections.closing())
    let closed = 0
    // Those who leave by themselves meanwhile need not be replaced by more than there are.
    const left = (): number => Math.min(total - closed, connections.open() - connections.closing())
    log.info({ connections: total, spreadMs: withinMs }, 'sending connections elsewhere')
    await closeAlong({
      total,
      spreadMs: withinMs,
      left,
      close: (count) => {
        closed += count
        pinned = sendAway(pinned, count, now())
        connections.close(count, 'shed')
      },
      isOver: () => isCancelled || left() === 0,
      now,
    })
    log.info({ connections: closed }, 'sent connections elsewhere')
  }

  return {
    begin(shed) {
      if (isShedding || isCancelled) return
      isShedding = true
      void run(shed).finally(() => (isShedding = false))
    },
    turnsAway() {
      const rest = unpin(pinned, now())
      if (rest === undefined) return false
      pinned = rest
      return true
    },
    cancel() {
      isCancelled = true
      pinned = NOBODY_PINNED
    },
  }
}
