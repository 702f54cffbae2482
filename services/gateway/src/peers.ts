import type { GatewayInfo } from '@roomcast/protocol'

/** How long a request for a gateway that is not known yet waits for the next lists from presence, in milliseconds. */
const UNKNOWN_WAIT_MS = 1_000
/** Requests that may wait so at a time; others are answered at once. */
const WAITING_MAX = 1_000

/** The gateways that presence lists: the only place from which an address of another gateway is taken. */
export interface Peers {
  update(gateways: readonly GatewayInfo[]): void
  /** The address of an instance, waited for when it is not known yet; undefined when it does not appear. */
  addressOf(instance: string): Promise<string | undefined>
}

export function createPeers(): Peers {
  const addresses = new Map<string, string>()
  /** Instances that were known and are gone: nobody waits for those. */
  let gone: ReadonlySet<string> = new Set()
  const waiting = new Map<string, Set<() => void>>()
  let waitingCount = 0

  return {
    update(gateways) {
      const before = new Set([...gone, ...addresses.keys()])
      addresses.clear()
      for (const { instance, address } of gateways) {
        addresses.set(instance, address)
        before.delete(instance)
        for (const wake of waiting.get(instance) ?? []) wake()
      }
      // Bounded by what an installation goes through in a while; the oldest are forgotten first.
      gone = new Set([...before].slice(-WAITING_MAX))
    },
    async addressOf(instance) {
      const known = addresses.get(instance)
      if (known !== undefined || gone.has(instance) || waitingCount >= WAITING_MAX) return known
      const set = waiting.get(instance) ?? new Set()
      waiting.set(instance, set)
      waitingCount++
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, UNKNOWN_WAIT_MS)
        function wake(): void {
          clearTimeout(timer)
          set.delete(wake)
          resolve()
        }
        set.add(wake)
      })
      waitingCount--
      if (set.size === 0) waiting.delete(instance)
      return addresses.get(instance)
    },
  }
}
