import type { RoomId } from '@roomcast/protocol'
import type { Member } from './member/member.ts'
import type { ChatSocket } from './sockets.ts'

/** Who a connection is, by the token that it presented. Times are in milliseconds since 1970. */
export interface Identity {
  /** The token's `sub`: what tells people apart. */
  readonly user: string
  /** The token's `name`; undefined: the holder chooses one when he joins. */
  readonly name: string | undefined
  /** When the token ends; undefined: it does not say. */
  readonly expiresAt: number | undefined
  readonly issuedAt: number | undefined
  mayRead(room: RoomId): boolean
  mayWrite(room: RoomId): boolean
}

/** Where a socket's identity is: on the socket, as its session, and out of sight of what serialises sockets. */
const IDENTITY = Symbol('identity')

interface WithIdentity {
  [IDENTITY]?: Identity
}

/** Gives a socket its identity, or another one of the same user. */
export function identify(socket: ChatSocket, identity: Identity): void {
  ;(socket as WithIdentity)[IDENTITY] = identity
}

/** Who a socket is; undefined in open mode, where nobody presents a token. */
export function identityOf(socket: ChatSocket): Identity | undefined {
  return (socket as WithIdentity)[IDENTITY]
}

/** What tells this member's user from others: the token's `sub`, or in open mode its name. */
export function userOf({ socket, name }: Pick<Member, 'socket' | 'name'>): string {
  return identityOf(socket)?.user ?? name
}
