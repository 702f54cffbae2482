import type { Revocation } from '@roomcast/roomlog'
import { identityOf } from './identity.ts'
import type { Context } from './member/context.ts'
import { depart } from './member/leave.ts'
import { isRevoked, refusalOfRevocation } from './revocations.ts'
import { sessionOf, tellRefusal, type ChatServer, type ChatSocket } from './sockets.ts'

/**
 * Ends the connections of a user here, and the sessions of his memberships with them: their clients are told why, and do not come back by
 * themselves. A connection with a token of after the revocation stays. Without tokens (open mode) a user is who joined under the name.
 */
export function disconnectUser(
  io: ChatServer,
  context: Context,
  revocation: Revocation,
  { isNew, blame }: { readonly isNew: boolean; readonly blame: (connection: object) => void },
): void {
  const refusal = refusalOfRevocation(revocation.reason)
  const isMeant = (socket: ChatSocket): boolean => {
    const identity = identityOf(socket)
    if (identity === undefined) return isNew && sessionOf(socket).member?.name === revocation.user
    if (identity.user !== revocation.user) return false
    const isForTokens = revocation.tokensBefore === revocation.at
    return isForTokens ? isRevoked(identity, revocation) : isNew
  }
  const meant = [...socketsOf(io)].filter(isMeant)
  // All memberships first: the end of a connection would leave those of its other rooms to be recovered.
  for (const socket of meant) {
    const { member } = sessionOf(socket)
    tellRefusal(socket, refusal.toRefusal())
    if (member !== undefined) depart(context, member, 'meant')
  }
  for (const socket of meant) {
    blame(socket.conn)
    socket.disconnect(true)
  }
}

/** Every socket that is connected, in whatever namespace. */
function* socketsOf(io: ChatServer): Generator<ChatSocket> {
  for (const namespace of io._nsps.values()) yield* namespace.sockets.values()
}
