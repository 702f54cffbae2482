import { ClientError, Join, JoinNamed, type RoomId } from '@roomcast/protocol'
import { identityOf } from '../identity.ts'
import type { ChatSocket } from '../sockets.ts'
import { parseRequest } from './request.ts'

/**
 * The name under which a socket joins: its token's, which the request may repeat, else the one that it asks for. Throws `ClientError`:
 * `forbidden` for another name than the token's.
 */
export function nameFor(socket: ChatSocket, request: unknown): string {
  const name = identityOf(socket)?.name
  if (name === undefined) return parseRequest(Join, request).username
  const { username = name } = parseRequest(JoinNamed, request ?? {})
  if (username !== name) throw new ClientError('forbidden', 'the token is for another name')
  return name
}

/** Throws `ClientError` `forbidden` when the socket's token is not for this room. */
export function requireRead(socket: ChatSocket, room: RoomId): void {
  if (identityOf(socket)?.mayRead(room) === false)
    throw new ClientError('forbidden', 'the token is not for this room')
}

/** Throws `ClientError` `forbidden` when the socket's token lets it read alone. */
export function requireWrite(socket: ChatSocket, room: RoomId): void {
  if (isReadOnly(socket, room))
    throw new ClientError('forbidden', 'the token lets you read this room, not write to it')
}

export function isReadOnly(socket: ChatSocket, room: RoomId): boolean {
  return identityOf(socket)?.mayWrite(room) === false
}
