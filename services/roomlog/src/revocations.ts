import type { Following } from './room-log.ts'

/** A user whose connections were ended. Times are in milliseconds since 1970 by the clock of the store. */
export interface Revocation {
  readonly user: string
  /** The last time that they were ended. */
  readonly at: number
  /** Tokens that were issued before it are refused; 0 when none are. */
  readonly tokensBefore: number
  readonly reason?: string
}

export interface RevocationFollower {
  onRevoked(revocation: Revocation): void
  /** The subscription was interrupted and is in force again: read the list. */
  onResumed(): void
}

/**
 * Users whose connections were ended, one entry each, for as long as a token of theirs may live. Whoever follows may miss some while it is
 * cut off, and has to read the list after that. All methods reject with `LogUnavailable`.
 */
export interface Revocations {
  /**
   * Ends the user's connections, as of now, and tells the followers. What an earlier call said of tokens stays. Undefined when
   * `REVOCATIONS_MAX` users are on the list: nothing was done then.
   */
  add(
    user: string,
    how: { readonly revokesTokens: boolean; readonly reason?: string | undefined },
  ): Promise<Revocation | undefined>
  /** Oldest first; also some whose time is over. */
  list(): Promise<readonly Revocation[]>
  /** Resolves when the subscription is in force. */
  follow(follower: RevocationFollower): Promise<Following>
}

/** Users on the list at a time: bounds what each gateway reads and keeps. */
export const REVOCATIONS_MAX = 10_000

/** How long a revocation is kept when nothing else is said, in milliseconds: a week. Tokens should live for less. */
export const DEFAULT_REVOCATION_TTL_MS = 604_800_000
