import type { RoomId } from '@roomcast/protocol'
import type { SessionRecord } from '@roomcast/roomlog'
import type { Bucket } from '../token-bucket.ts'
import type { Receiver } from '../fanout.ts'
import type { LocalRoom } from '../rooms.ts'

/** A socket that joined a room. */
export interface Member extends Receiver {
  readonly room: LocalRoom
  readonly name: string
  /** When it joined, in milliseconds since 1970. */
  readonly since: number
  /** What another gateway needs to go on with it. */
  readonly session: SessionRecord
}

/** What a socket may become a member of: the room it named when it connected, or what was wrong with the name. */
export type Destination =
  | { readonly kind: 'room'; readonly room: RoomId }
  | { readonly kind: 'none' }
  | { readonly kind: 'bad'; readonly message: string }

/** What the gateway keeps for each socket. */
export interface Session {
  readonly destination: Destination
  member: Member | undefined
  /** A join or a recovery that is under way: its name, so that a second one is told apart, and its end. */
  joining: { readonly name: string; readonly done: Promise<void> } | undefined
  /** The name that it asked for, where a hook gave it another one. */
  askedName: string | undefined
  /** `say`s that came before the `join` was through. */
  early: EarlySays | undefined
  joinBucket: Bucket | undefined
  sayBucket: Bucket | undefined
  historyBucket: Bucket | undefined
  membersBucket: Bucket | undefined
}

export interface EarlySays {
  readonly calls: (() => void)[]
  readonly timer: NodeJS.Timeout
}

export function newSession(destination: Destination): Session {
  return {
    destination,
    member: undefined,
    joining: undefined,
    askedName: undefined,
    early: undefined,
    joinBucket: undefined,
    sayBucket: undefined,
    historyBucket: undefined,
    membersBucket: undefined,
  }
}
