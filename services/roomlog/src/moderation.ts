import type { AppendMessage, AppendResult, RoomId } from '@roomcast/protocol'

/** A user who may not be in a room. */
export interface Ban {
  readonly user: string
  /** In milliseconds since 1970, as `until`. */
  readonly since: number
  /** Undefined: until it is lifted. */
  readonly until?: number
  readonly reason?: string
}

/** What a moderator does to a room, beside telling its members. */
export type Act =
  /** The user's sessions end: none that is older than the entry that tells it is recovered. */
  | { readonly kind: 'kick'; readonly user: string }
  /** The same, and he may not join; in place of an earlier ban of his. */
  | { readonly kind: 'ban'; readonly ban: Ban }
  /** The entry leaves the log. `epoch` is that of the head with which it was read: with another one it may be another message. */
  | { readonly kind: 'delete'; readonly epoch: string; readonly seq: number }
  /** All entries before the one that tells it leave the log. Numbers go on. */
  | { readonly kind: 'clear' }

export type Acted =
  | Extract<AppendResult, { status: 'appended' }>
  /** Nothing is there to act on: a log in which nothing was ever said, or another epoch than the act's. Nothing was done. */
  | { readonly status: 'missing' }
  /** The room has `BANS_PER_ROOM_MAX` bans in force. Nothing was done. */
  | { readonly status: 'full' }

/** Where a user stands in a room. */
export interface Standing {
  /** In force at the time of the question. */
  readonly ban: Ban | undefined
  /** Number of the entry that told of his last removal, 0 for none: a session that ends before it is over. */
  readonly removedAt: number
}

/**
 * What moderators do to rooms. Every act is told to members by an entry of the room's log, written in the same step: whoever follows
 * the log hears of it in its place, after any gap. All methods reject with `LogUnavailable`; whether an act was done is then unknown,
 * and it may be repeated with the same message key.
 */
export interface Moderation {
  /** Appends the message that tells of it and does it, both or neither. */
  act(room: RoomId, act: Act, message: AppendMessage): Promise<Acted>
  /** Ends a ban; false when there was none in force. */
  lift(room: RoomId, user: string): Promise<boolean>
  /** Those in force, by user. */
  bans(room: RoomId): Promise<readonly Ban[]>
  /** What a join asks. */
  banOf(room: RoomId, user: string): Promise<Ban | undefined>
  /** What a recovery asks. */
  standingOf(room: RoomId, user: string): Promise<Standing>
}

/** Removals of one room that are remembered, the latest: a user whose removal is forgotten may recover a session of before. */
export const REMOVALS_KEPT = 1_000

export function isInForce({ until }: Ban, now: number): boolean {
  return until === undefined || until > now
}

/** The order of a list of bans. */
export function byUser(a: Ban, b: Ban): number {
  return a.user < b.user ? -1 : 1
}
