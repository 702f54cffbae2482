import type { AppendBatch, AppendResult, RoomId } from '@roomcast/protocol'
import type { Sessions } from './sessions.ts'

/** A message in a room's log. */
export interface Entry {
  readonly seq: number
  /** The message as `encodeMessage` wrote it. */
  readonly payload: string
}

/** What was appended by one call, as followers get it: entries `first`, `first + 1`, … of one epoch. */
export interface LogBatch {
  readonly epoch: string
  readonly first: number
  /** When the log took it, in milliseconds since 1970 by the log's own clock. */
  readonly at: number
  readonly payloads: readonly string[]
  readonly traces?: Traces | undefined
}

/** The places in traces of traced entries, by their numbers. Absent where nothing is traced, and in what is read later. */
export type Traces = readonly (readonly [seq: number, traceparent: string])[]

/** Where an ended epoch's numbers end: a position of that epoch is of this log if its seq is at most `end`. */
export interface EpochEnd {
  readonly epoch: string
  readonly end: number
}

/** The end of a room's log, and what is left of it. */
export interface Head {
  /**
   * Names the life of this log. A new one begins when the store may have lost its tail (a failover, a restart), since numbers
   * after that may be given a second time.
   */
  readonly epoch: string
  /** Number of the last message; 0 before the first. */
  readonly seq: number
  /** Number of the oldest message that is kept; `seq + 1` when none is. Numbers missing after it were deleted. */
  readonly first: number
  /** Ended epochs, oldest first, at most `EPOCHS_KEPT`. */
  readonly ends: readonly EpochEnd[]
}

/** Ended epochs that a log remembers. */
export const EPOCHS_KEPT = 16

/** The head of a log in which nothing was ever written. Its position is the beginning of whatever log comes to be. */
export const EMPTY_HEAD: Head = { epoch: '0', seq: 0, first: 1, ends: [] }

export interface Page {
  readonly head: Head
  /** In order of `seq`. */
  readonly entries: readonly Entry[]
}

/** Which entries to read: the oldest after `after`, the newest before `before`, or the newest of all. */
export interface ReadRange {
  readonly after?: number
  readonly before?: number
  readonly limit: number
}

export interface Follower {
  /** Batches come in the order in which the log took them, each at most once, but some may be missing: check `first`. */
  onBatch(batch: LogBatch): void
  /** The subscription was interrupted and is in force again: what came in between was not delivered. */
  onResumed(): void
}

export interface Following {
  /**
   * Subscribes once more, for a follower that seems to get nothing: does no harm to a subscription that is in force. Rejects with
   * `LogUnavailable`.
   */
  renew(): Promise<void>
  /** No calls to the follower after it was called. */
  stop(): void
}

/**
 * The log of each room: the one place that gives messages their order and numbers, and keeps the latest of them.
 * A room's log begins by the first append, keeps the last `historySize` messages or somewhat more for `historyTtlMs` after the last
 * one, and its numbers for twice as long, or for as long as somebody asks for its head.
 */
export interface RoomLog {
  /**
   * Appends each batch whole or not at all, in order, each message once (see `AppendBatch`), and tells the followers.
   * Never rejects for an outage: its result is then `failed`, and the batch may or may not have been appended.
   */
  append(batches: readonly AppendBatch[]): Promise<AppendResult[]>
  /** Rejects with `LogUnavailable` when the log can't be reached. */
  read(room: RoomId, range: ReadRange): Promise<Page>
  /** The heads of several rooms, in their order; asking keeps a room's numbers alive. Rejects with `LogUnavailable`. */
  heads(rooms: readonly RoomId[]): Promise<Head[]>
  /** Resolves when the subscription is in force: what is appended after that reaches the follower. Rejects with `LogUnavailable`. */
  follow(room: RoomId, follower: Follower): Promise<Following>
  /** Deletes a room's messages; its numbers go on. False when there was no such log. Rejects with `LogUnavailable`. */
  clear(room: RoomId): Promise<boolean>
  /** The session records of members, in the same store. */
  readonly sessions: Sessions
  /** False while the store is away: calls fail fast, and it is tried again by itself. */
  isAvailable(): boolean
  close(): Promise<void>
}

/** The store behind the log can't be reached, or did not answer in time. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable'
}

/** How much a log keeps. */
export interface Retention {
  /** Messages kept per room, or somewhat more. */
  readonly historySize: number
  /** How long a room's messages are kept after its last one, in milliseconds. */
  readonly historyTtlMs: number
  /** How long a message key is known at least, in milliseconds; up to one and a half times as long. */
  readonly keyWindowMs: number
  /** How long a producer that appends nothing is known at least, in milliseconds: longer than any retry of a batch. */
  readonly producerTtlMs: number
}

export const DEFAULT_RETENTION: Retention = {
  historySize: 1_000,
  historyTtlMs: 86_400_000,
  keyWindowMs: 120_000,
  producerTtlMs: 300_000,
}
