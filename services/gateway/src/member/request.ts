import { ClientError, type RoomId } from '@roomcast/protocol'
import type { z } from 'zod'
import type { Member } from './member.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'

/** The request as the schema reads it. Throws `ClientError` `invalid`, or `invalid_offset`, with the first fault. */
export function parseRequest<S extends z.ZodType>(schema: S, request: unknown): z.output<S> {
  const parsed = schema.safeParse(request)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const isOffset = issue?.code === 'custom' && issue.params?.['offset'] === true
  throw new ClientError(isOffset ? 'invalid_offset' : 'invalid', issue?.message ?? 'not valid')
}

/** The room that the socket named when it connected. Throws `ClientError`. */
export function roomOf(socket: ChatSocket): RoomId {
  const { destination } = sessionOf(socket)
  switch (destination.kind) {
    case 'room':
      return destination.room
    case 'none':
      throw new ClientError('no_room', 'connect with ?roomid=<id> or to the namespace /rooms/<id>')
    case 'bad':
      throw new ClientError('invalid', destination.message)
  }
}

/** Throws `ClientError` `not_joined`. */
export function memberOf(socket: ChatSocket): Member {
  roomOf(socket)
  const { member } = sessionOf(socket)
  if (member === undefined) throw new ClientError('not_joined', 'join the room first')
  return member
}
