import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Server as EngineServer, Socket as EngineConnection } from 'engine.io'
import type { ChatSocket } from '../sockets.ts'
import { engineOf, type Engine, type InnerWebSocket } from './internals.ts'

/** Sends everything that is written to a websocket in this turn of the event loop by one system call. */
export function gatherWrites(socket: ChatSocket): void {
  const tcp = engineOf(socket).transport.socket?._socket
  if (tcp) gather(tcp)
}

/** The same for the answer to each websocket's handshake and Engine.IO's first packet. */
export function gatherHandshakes(engine: EngineServer): void {
  engine.on('initial_headers', (_headers: object, { socket, headers }: IncomingMessage) => {
    // Its handshake has passed: a refusal ends the socket without waiting for what is gathered.
    if (headers.upgrade !== undefined) gather(socket)
  })
}

function gather(tcp: Socket): void {
  tcp.cork()
  setImmediate(() => tcp.uncork())
}

const ENTERED = Symbol('entered')

interface WithEntered {
  [ENTERED]?: number
}

/**
 * Counts one more namespace for the connection of a socket, and returns how many it has. Socket.IO knows of one only once it is entered: of many that
 * come in one polling body all would be let in.
 */
export function countNamespace({ conn }: ChatSocket): number {
  const counted = conn as WithEntered
  return (counted[ENTERED] = (counted[ENTERED] ?? 0) + 1)
}

/** Counts one less. */
export function uncountNamespace({ conn }: ChatSocket): void {
  const counted = conn as WithEntered
  counted[ENTERED] = (counted[ENTERED] ?? 1) - 1
}

/** The open connection of an Engine.IO session. */
export function engineConnection(engine: object, sid: unknown): EngineConnection | undefined {
  const { clients } = engine as { readonly clients: Readonly<Record<string, EngineConnection>> }
  return typeof sid === 'string' && Object.hasOwn(clients, sid) ? clients[sid] : undefined
}

/** The id of an Engine.IO session, by which its requests name it. */
export function sidOf(connection: object): string {
  return (connection as { readonly id: string }).id
}

/** Whether a websocket is about to take the place of an Engine.IO session's polling. */
export function isUpgrading(connection: object): boolean {
  return (connection as { readonly upgrading: boolean }).upgrading
}

/** The private session id of a socket, which its client alone is told. */
export function pidOf(socket: ChatSocket): string {
  return (socket as unknown as { readonly pid: string }).pid
}

/** Takes that id back before the client is told of it. */
export function forgetPid(socket: ChatSocket): void {
  Object.assign(socket, { pid: undefined })
}

/** Packets that wait in Engine.IO's buffer before their exact size is worth adding up. */
const FEW_PACKETS = 64

/** Bytes that were written and are not sent: in the websocket's buffer, and in Engine.IO's when that holds more than a few packets. */
export function unsentBytes(socket: ChatSocket): number {
  const { transport, writeBuffer } = engineOf(socket)
  if (writeBuffer.length > FEW_PACKETS) return unsentOf(socket.conn)
  return transport.socket?.bufferedAmount ?? 0
}

/** The same for a connection, exactly. */
export function unsentOf(connection: object): number {
  const { transport, writeBuffer } = connection as Engine
  let bytes = transport.socket?.bufferedAmount ?? 0
  for (const { data } of writeBuffer) bytes += data?.length ?? 0
  return bytes
}

/** The websocket under a connection, if it has one. */
export function websocketOf(connection: object): InnerWebSocket | undefined {
  return (connection as Engine).transport.socket
}

/** Ends a connection at once and frees what it had buffered; a polite close would hold that until the other side answers. */
export function terminate(socket: ChatSocket): void {
  terminateConnection(socket.conn)
}

/** The same for a connection, which may carry several sockets. */
export function terminateConnection(connection: { close(discard: boolean): void }): void {
  const { transport } = connection as unknown as Engine
  transport.socket?.terminate()
  connection.close(true)
  // A polling transport that was asked politely before waits up to half a minute for a request to answer with it, and hears nothing else.
  transport.shouldClose?.()
}

/** Codes with which a websocket is closed by a client that means it: normal closure, and a page that goes away. */
const MEANT_CLOSE_CODES: readonly (number | undefined)[] = [1000, 1001]

/** Whether a websocket was closed by its client on purpose (RFC 6455, section 7.4.1), as opposed to broken. */
export function wasClosedByClient(socket: ChatSocket): boolean {
  return MEANT_CLOSE_CODES.includes(engineOf(socket).transport.socket?._closeCode)
}
