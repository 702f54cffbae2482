import { ClientError, type ErrorCode, type Removal } from '@roomcast/protocol'
import { userOfSession, type Ban } from '@roomcast/roomlog'
import type { LocalRoom } from '../rooms.ts'
import { tellRefusal } from '../sockets.ts'
import type { Context } from './context.ts'
import { depart } from './leave.ts'

/** Takes a user out of a room here, after telling his sockets why. His sessions in it end, the connections stay. */
export function removeUser(context: Context, room: LocalRoom, removal: Removal): void {
  for (const member of room.fanout.receivers()) {
    if (userOfSession(member.session) !== removal.user) continue
    tellRefusal(member.socket, refusalOfRemoval(removal).toRefusal())
    depart(context, member, 'meant')
  }
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
