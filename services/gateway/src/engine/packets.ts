import { encodeFrames, frameAt } from '../frames.ts'
import type { ChatSocket } from '../sockets.ts'
import { engineOf } from './internals.ts'

/** A packet for many sockets: encoded once for each kind of transport. */
export interface SharedPacket {
  readonly text: string
  readonly frame: readonly Buffer[]
}

/** Packets for many sockets, in their order. */
export interface SharedPackets {
  readonly count: number
  /** All of them as websocket frames. */
  readonly bytes: Buffer
  at(i: number): SharedPacket
}

/** Type of an Engine.IO packet that carries a Socket.IO packet. */
const ENGINE_MESSAGE = '4'

/** Encodes EVENT packets of a namespace from their bodies, and the websocket frames that carry them, once for all receivers. */
export function sharePackets(namespace: string, bodies: readonly string[]): SharedPackets {
  const prefix = packetPrefix(namespace)
  const frames = encodeFrames(`${ENGINE_MESSAGE}${prefix}`, bodies)
  return {
    count: bodies.length,
    bytes: frames.bytes,
    at: (i) => ({ text: `${prefix}${bodies[i]}`, frame: [frameAt(frames, i)] }),
  }
}

/** Writes a packet in order with everything else that was sent to this socket. */
export function writePacket(socket: ChatSocket, { text, frame }: SharedPacket): void {
  engineOf(socket).write(text, { compress: false, wsPreEncodedFrame: frame })
}

/** Sends a packet to one local socket as `socket.emit` does without recovery: in order with acknowledgements, and no further. */
export function localPacket(socket: object, packet: object, flags: object): void {
  const internal = socket as {
    notifyOutgoingListeners(packet: object): void
    packet(packet: object, flags: object): void
  }
  internal.notifyOutgoingListeners(packet)
  internal.packet(packet, flags)
}

/** Begins a Socket.IO EVENT packet (protocol 5, and 4 for v2 clients): its type, and the namespace unless it is the main one. */
function packetPrefix(namespace: string): string {
  return namespace === '/' ? '2' : `2${namespace},`
}
