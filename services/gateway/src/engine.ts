import { Socket as TcpSocket } from 'node:net'
import * as ws from 'ws'
import { encodeFrames, frameAt } from './frames.ts'
import type { ChatSocket } from './sockets.ts'

/**
 * All that this gateway uses of Engine.IO and ws beyond their documented interfaces, in one place: socket.io 4.8, engine.io 6.6, ws 8.
 * test/engine.test.ts fails when one of them changes what is used here.
 */

interface EnginePacket {
  readonly data?: string | Buffer
}

interface Engine {
  readonly readyState: string
  readonly upgrading: boolean
  readonly writeBuffer: readonly EnginePacket[]
  readonly transport: {
    readonly name: string
    readonly perMessageDeflate?: unknown
    readonly socket?: InnerWebSocket
  }
  write(data: string, options: { compress: boolean; wsPreEncodedFrame: readonly Buffer[] }): void
}

type InnerWebSocket = ws.WebSocket & {
  readonly _closeCode?: number
  readonly _socket?: TcpSocket | null
  readonly _sender?: { readonly _bufferedBytes: number }
}

const engineOf = (socket: ChatSocket): Engine => socket.conn as unknown as Engine

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

/** Encodes Socket.IO packets, each with `prefix` before its body, and the websocket frames that carry them, once for all receivers. */
export function sharePackets(prefix: string, bodies: readonly string[]): SharedPackets {
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

/** The plain websocket under a connection. */
export interface Lane {
  readonly connection: Engine
  readonly transport: Engine['transport']
  readonly websocket: InnerWebSocket
  readonly sender: { readonly _bufferedBytes: number }
  readonly tcp: TcpSocket
}

/**
 * The lane of a socket, or undefined while it has none: it is polling, or its internals are not as known here. `known` is what this
 * returned before; a connection that upgrades gets its lane then.
 */
export function laneOf(socket: ChatSocket, known: Lane | undefined): Lane | undefined {
  const connection = engineOf(socket)
  const { transport } = connection
  if (known?.transport === transport) return known
  if (transport.name !== 'websocket' || Boolean(transport.perMessageDeflate)) return undefined
  const websocket = transport.socket
  const sender = websocket?._sender
  const tcp = websocket?._socket
  const isAsKnown =
    typeof connection.readyState === 'string' &&
    Array.isArray(connection.writeBuffer) &&
    typeof sender?._bufferedBytes === 'number' &&
    tcp instanceof TcpSocket
  if (!isAsKnown || websocket === undefined) return undefined
  return { connection, transport, websocket, sender, tcp }
}

/**
 * Writes websocket frames straight to the TCP socket; false, with nothing written, when Engine.IO or ws have something that must go
 * before them. What they write later comes after.
 */
export function writeBytes(lane: Lane, bytes: Buffer): boolean {
  const { connection, websocket, sender, tcp } = lane
  if (
    connection.readyState !== 'open' ||
    connection.upgrading ||
    connection.writeBuffer.length > 0 ||
    websocket.readyState !== ws.WebSocket.OPEN ||
    sender._bufferedBytes > 0
  )
    return false
  tcp.write(bytes)
  return true
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
