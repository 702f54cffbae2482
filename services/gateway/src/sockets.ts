import {
  parseRoomId,
  ROOM_NAMESPACE_PREFIX,
  roomOfNamespace,
  type ClientToServer,
  type ServerToClient,
} from '@roomcast/protocol'
import type { DefaultEventsMap, Namespace, Server, Socket } from 'socket.io'
import type { Destination, Session } from './member/member.ts'

export type ChatServer = Server<ClientToServer, ServerToClient, DefaultEventsMap, Session>
export type ChatNamespace = Namespace<ClientToServer, ServerToClient, DefaultEventsMap, Session>
export type ChatSocket = Socket<ClientToServer, ServerToClient, DefaultEventsMap, Session>

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
