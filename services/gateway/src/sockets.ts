import {
  parseRoomId,
  ROOM_NAMESPACE_PREFIX,
  roomOfNamespace,
  type ClientToServer,
  type Refusal,
  type ServerToClient,
} from '@roomcast/protocol'
import type { DefaultEventsMap, Namespace, Server, Socket } from 'socket.io'
import type { Destination, Session } from './member/member.ts'

/** What cluster operations tell of a socket (`fetchSockets`): it goes over the network, so it is plain and small. */
export interface SocketData {
  /** The member's name, while the socket is one. */
  username?: string
}

export type ChatServer = Server<ClientToServer, ServerToClient, DefaultEventsMap, SocketData>
export type ChatNamespace = Namespace<ClientToServer, ServerToClient, DefaultEventsMap, SocketData>
export type ChatSocket = Socket<ClientToServer, ServerToClient, DefaultEventsMap, SocketData>

/** Where a socket's session is: on the socket, because each of its messages asks for it, and out of sight of what serialises sockets. */
const SESSION = Symbol('session')

interface WithSession {
  [SESSION]?: Session
}

export function openSession(socket: ChatSocket, session: Session): void {
  ;(socket as WithSession)[SESSION] = session
}

/** What the gateway keeps for a socket that is connected. */
export function sessionOf(socket: ChatSocket): Session {
  const session = (socket as WithSession)[SESSION]
  if (session === undefined) throw new Error('a socket without a session')
  return session
}

/** The room that a socket named: by its namespace, or in the main namespace by `?roomid=`. */
export function destinationOf(socket: ChatSocket): Destination {
  if (socket.nsp.name.startsWith(ROOM_NAMESPACE_PREFIX)) {
    // The namespace was let in because it names a room.
    return destination(roomOfNamespace(socket.nsp.name))
  }
  const { roomid } = socket.handshake.query
  return roomid === undefined ? { kind: 'none' } : destination(parseRoomId(roomid))
}

function destination(parsed: ReturnType<typeof parseRoomId>): Destination {
  return parsed.room === undefined
    ? { kind: 'bad', message: parsed.message }
    : { kind: 'room', room: parsed.room }
}

/** Tells a client of a refusal that no acknowledgement carries. */
export function tellRefusal(socket: ChatSocket, { code, message, retryAfterMs }: Refusal): void {
  const { destination } = sessionOf(socket)
  socket.emit('message', {
    event: 'error',
    room: destination.kind === 'room' ? destination.room : '',
    data: { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  })
}
