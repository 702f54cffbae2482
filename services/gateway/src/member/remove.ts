import { ClientError, type ErrorCode, type Removal, type RoomId } from '@roomcast/protocol'
import type { Ban } from '@roomcast/roomlog'
import type { LocalRoom } from '../rooms.ts'
import type { ChatSocket } from '../sockets.ts'
import type { Context } from './context.ts'
import { depart } from './leave.ts'

/** Takes a user out of a room here, after telling his sockets why. His sessions in it end, the connections stay. */
export function removeUser(context: Context, room: LocalRoom, removal: Removal): void {
  for (const member of room.fanout.receivers()) {
    if (member.session.user !== removal.user) continue
    tellRemoval(member.socket, room.id, refusalOfRemoval(removal))
    depart(context, member, 'meant')
  }
}

/** Why a socket is not, or no longer, a member: an `error` message, since nothing was asked. */
export function tellRemoval(
  socket: ChatSocket,
  room: RoomId,
  { code, message }: ClientError,
): void {
  socket.emit('message', { event: 'error', room, data: { code, message } })
}

export function refusalOfRemoval({ code, reason }: Pick<Removal, 'code' | 'reason'>): ClientError {
  return refusal(code, code === 'kicked' ? 'you were removed from this room' : BANNED, reason)
}

export function refusalOfBan({ until, reason }: Ban): ClientError {
  const till = until === undefined ? '' : ` until ${new Date(until).toISOString()}`
  return refusal('banned', `${BANNED}${till}`, reason)
}

const BANNED = 'you are banned from this room'

function refusal(code: ErrorCode, words: string, reason: string | undefined): ClientError {
  return new ClientError(code, reason === undefined ? words : `${words}: ${reason}`)
}
