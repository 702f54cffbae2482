import * as ws from 'ws'
import type { ChatSocket } from './sockets.ts'

/**
 * All that this gateway uses of Engine.IO and ws beyond their documented interfaces, in one place: socket.io 4.8, engine.io 6.6, ws 8.
 * test/engine.test.ts fails when one of them changes what is used here.
 */

interface EnginePacket {
  readonly data?: string | Buffer
}

interface Engine {
  readonly writeBuffer: readonly EnginePacket[]
  readonly transport: {
    readonly name: string
    readonly socket?: ws.WebSocket & { _closeCode?: number }
  }
  write(data: string, options: { compress: boolean; wsPreEncodedFrame: readonly Buffer[] }): void
}

/** A packet for many sockets: encoded once for each kind of transport. */
export interface SharedPacket {
  readonly text: string
  readonly frame: readonly Buffer[]
}

const engineOf = (socket: ChatSocket): Engine => socket.conn as unknown as Engine

/** Encodes a Socket.IO packet, and the websocket frame that carries it, once for all that will get it. */
export function sharePacket(text: string): SharedPacket {
  const frame = frameOf(Buffer.from(`4${text}`))
  return { text, frame }
}

// The types of ws leave `Sender.frame` out; Socket.IO's own adapter uses it in the same way.
const { Sender } = ws as unknown as {
  Sender: { frame(data: Buffer, options: Record<string, unknown>): Buffer[] }
}

function frameOf(data: Buffer): Buffer[] {
  return Sender.frame(data, { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true })
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

/** How many namespaces the connection of a socket has joined, this one included. */
export function namespacesOf(socket: ChatSocket): number {
  const { client } = socket as unknown as {
    readonly client: { readonly sockets: { readonly size: number } }
  }
  // A socket is among them only once it is connected.
  return client.sockets.size + 1
}

/** The open connection of an Engine.IO session. */
export function engineConnection(
  engine: object,
  sid: unknown,
): { close(discard: boolean): void } | undefined {
  const { clients } = engine as {
    readonly clients: Readonly<Record<string, { close(discard: boolean): void }>>
  }
  return typeof sid === 'string' && Object.hasOwn(clients, sid) ? clients[sid] : undefined
}

/** The private session id of a socket, which its client alone is told. */
export function pidOf(socket: ChatSocket): string {
  return (socket as unknown as { readonly pid: string }).pid
}

/** Packets that wait in Engine.IO's buffer before their exact size is worth adding up. */
const FEW_PACKETS = 64

/** Bytes that were written and are not sent: in the websocket's buffer, and in Engine.IO's when that holds more than a few packets. */
export function unsentBytes(socket: ChatSocket): number {
  const { transport, writeBuffer } = engineOf(socket)
  let bytes = transport.socket?.bufferedAmount ?? 0
  if (writeBuffer.length > FEW_PACKETS)
    for (const { data } of writeBuffer) bytes += data?.length ?? 0
  return bytes
}

/** Ends a connection at once and frees what it had buffered; a polite close would hold that until the other side answers. */
export function terminate(socket: ChatSocket): void {
  terminateConnection(socket.conn)
}

/** The same for a connection, which may carry several sockets. */
export function terminateConnection(connection: { close(discard: boolean): void }): void {
  ;(connection as unknown as Engine).transport.socket?.terminate()
  connection.close(true)
}

/** Codes with which a websocket is closed by a client that means it: normal closure, and a page that goes away. */
const MEANT_CLOSE_CODES: readonly (number | undefined)[] = [1000, 1001]

/** Whether a websocket was closed by its client on purpose (RFC 6455, section 7.4.1), as opposed to broken. */
export function wasClosedByClient(socket: ChatSocket): boolean {
  return MEANT_CLOSE_CODES.includes(engineOf(socket).transport.socket?._closeCode)
}
