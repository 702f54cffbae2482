import { formatOffset, type Message, type RoomId } from '@roomcast/protocol'
import type { Run } from '@roomcast/roomlog'
import { sharePacket, terminate, unsentBytes, writePacket, type SharedPacket } from './engine.ts'
import type { Facts } from './facts.ts'
import type { Member } from './member/member.ts'
import type { ChatSocket } from './sockets.ts'

/** The members of one room on this gateway, by the namespace through which they came: the packet's prefix depends on it. */
export type Audience = ReadonlyMap<string, ReadonlySet<Member>>

/** How messages reach the members of a room. Each call is delivered to every member before the next, in its order. */
export interface Fanout {
  /** Logged messages, to every member. */
  deliver(audience: Audience, run: Run): void
  /** A message that is not logged. */
  tell(audience: Audience, message: Message<'count'>): void
}

/** Sends each packet the ordinary Engine.IO way, encoded once for all members of a namespace. */
export function createFanout(options: {
  readonly slowClientBytes: number
  readonly facts: Facts
  readonly now: () => number
  readonly onSlow: (socket: ChatSocket) => void
}): Fanout {
  const { slowClientBytes, facts, now, onSlow } = options

  const write = (members: ReadonlySet<Member>, packets: readonly SharedPacket[]): void => {
    for (const { socket } of members) {
      // Looked at before the write: one large batch is no sign of a slow reader, what is left of earlier ones is.
      if (unsentBytes(socket) > slowClientBytes) {
        onSlow(socket)
        terminate(socket)
        continue
      }
      for (const packet of packets) writePacket(socket, packet)
    }
  }

  return {
    deliver(audience, { epoch, entries, at }) {
      let members = 0
      for (const [namespace, set] of audience) {
        const prefix = packetPrefix(namespace)
        const packets = entries.map(({ payload, seq }) =>
          sharePacket(`${prefix}["message",${payload},"${formatOffset({ epoch, seq })}"]`),
        )
        write(set, packets)
        members += set.size
      }
      facts.delivered(members * entries.length)
      if (at !== undefined) facts.deliveryLatency(Math.max(0, now() - at) / 1_000)
    },
    tell(audience, message) {
      const json = JSON.stringify(['message', message])
      for (const [namespace, set] of audience)
        write(set, [sharePacket(packetPrefix(namespace) + json)])
    },
  }
}

/** Begins a Socket.IO EVENT packet (protocol 5, and 4 for v2 clients): its type, and the namespace unless it is the main one. */
export function packetPrefix(namespace: string): string {
  return namespace === '/' ? '2' : `2${namespace},`
}

/** A `count` message. */
export function countMessage(room: RoomId, online: number): Message<'count'> {
  return { event: 'count', room, data: { online } }
}
