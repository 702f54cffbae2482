import { Socket as TcpSocket } from 'node:net'
import * as ws from 'ws'
import type { ChatSocket } from '../sockets.ts'
import { engineOf, type Engine, type InnerWebSocket } from './internals.ts'

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
