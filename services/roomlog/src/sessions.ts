import type { RoomId } from '@roomcast/protocol'

/** A membership that may outlive its connection: what another gateway needs to go on with it. */
export interface SessionRecord {
  /** Private id, known to the client and to the servers alone: whoever presents it goes on as this member. */
  readonly pid: string
  /** Public id, the socket's. */
  readonly sid: string
  readonly namespace: string
  readonly room: RoomId
  readonly name: string
  /** Whose it is, where tokens are required: nobody else goes on with it. */
  readonly user?: string | undefined
  /** When it joined, in milliseconds since 1970. */
  readonly since: number
  /** Instance of the gateway that holds it. */
  readonly owner: string
  /** Grows with each restoration, from 1. Whoever acts on an older generation is too late. */
  readonly generation: number
}

/** Whose session it is, as moderators name users: the subject of the token, or in open mode the name. */
export function userOfSession({ user, name }: Pick<SessionRecord, 'user' | 'name'>): string {
  return user ?? name
}

/** A session as it was found. */
export interface FoundSession extends SessionRecord {
  /** Whether its quit was announced: the member comes back as one who left. */
  readonly hasQuit: boolean
}

/**
 * The session records of members. One is written when its member joins, not when the connection ends, so that the end of a process loses
 * none; it is kept for its time to live after the last `save`. All methods reject with `LogUnavailable` when the store is away.
 */
export interface Sessions {
  /**
   * Writes or refreshes records. A record whose stored generation is higher is left as it is, since its session moved on, and kept alive:
   * what took it may have been an earlier attempt of the client, overtaken by the connection that it has.
   */
  save(records: readonly SessionRecord[]): Promise<void>
  find(pid: string): Promise<FoundSession | undefined>
  /**
   * Takes a session over: compares the generation, and sets owner, the next generation, and that it has not quit. Nothing is deleted, so
   * an attempt that is cut half way can be repeated. Returns the new generation, and whether it had quit until then; undefined when
   * another was faster or it is gone.
   */
  claim(pid: string, generation: number, owner: string): Promise<Claimed | undefined>
  /** Marks that the quit of this generation is to be announced: true for one caller alone, and not after a claim. */
  quit(pid: string, generation: number): Promise<boolean>
  /** Ends a session of this generation for good, true as for `quit`: its member left on purpose. */
  drop(pid: string, generation: number): Promise<boolean>
  /** Says that this owner lives: to be called every `OWNER_BEAT_MS`. The first session of an owner says so as well. */
  beat(owner: string): Promise<void>
  /** Every owner that may still have sessions, and how long ago its last beat was, by the store's clock. */
  owners(): Promise<readonly SeenOwner[]>
  /**
   * The sessions of an owner that are not settled. Those that another one claimed, that were dropped or whose time is over are not among
   * them. Costs O(its sessions).
   */
  ownedBy(owner: string): Promise<readonly FoundSession[]>
  /** Nothing is left to do about these sessions when their owner is gone: their quits are told, or are not to be. */
  settle(owner: string, pids: readonly string[]): Promise<void>
}

export interface Claimed {
  readonly generation: number
  readonly hasQuit: boolean
}

export interface SeenOwner {
  readonly owner: string
  readonly silentMs: number
}

/** How often an owner of sessions says that it lives, in milliseconds. */
export const OWNER_BEAT_MS = 1_000
/** How long an owner that lives is silent at most, in milliseconds: two beats may be late. */
export const OWNER_SILENT_MS = 3 * OWNER_BEAT_MS

/** Longest private id that is looked up; Socket.IO's have 20 characters. */
export const PID_MAX_CHARS = 64

/** How long a session is kept after it was last saved, in milliseconds, when nothing else is said. */
export const DEFAULT_SESSION_TTL_MS = 240_000
