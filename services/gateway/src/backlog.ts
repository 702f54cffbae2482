import { sharePackets, type SharedPackets } from './engine/packets.ts'

/** What a room has to tell and some member was not told yet. Each body has a number, from 0 for the first of the room. */
export interface Backlog {
  /** The number that the next body will have: who was told this many was told everything. */
  head(): number
  isEmpty(): boolean
  /** In characters. */
  size(): number
  add(body: string): void
  /** The packets from number `from` to the head, encoded once for all who come one after another with the same `from` and namespace. */
  packets(namespace: string, from: number): SharedPackets
  /** Everybody was told what comes before number `upTo`. */
  forget(upTo: number): void
}

interface Encoded {
  readonly namespace: string
  readonly from: number
  readonly to: number
  readonly packets: SharedPackets
}

export function createBacklog(): Backlog {
  let bodies: string[] = []
  /** The number of the first of them. */
  let floor = 0
  let size = 0
  let encoded: Encoded | undefined

  const head = (): number => floor + bodies.length

  return {
    head,
    isEmpty: () => bodies.length === 0,
    size: () => size,
    add(body) {
      bodies.push(body)
      size += body.length
    },
    packets(namespace, from) {
      const to = head()
      const isLast = encoded?.from === from && encoded.to === to && encoded.namespace === namespace
      if (!isLast || encoded === undefined) {
        const rest = from === floor ? bodies : bodies.slice(from - floor)
        const packets = sharePackets(namespace, rest)
        encoded = { namespace, from, to, packets }
      }
      return encoded.packets
    },
    forget(upTo) {
      for (const body of bodies.slice(0, upTo - floor)) size -= body.length
      bodies = bodies.slice(upTo - floor)
      floor = upTo
      encoded = undefined
    },
  }
}
