import type { Position, RoomId } from '@roomcast/protocol'
import { epochOf, isCompleteAfter, locate, step } from './continuity.ts'
import type { Entry, Follower, Following, Head, LogBatch, RoomLog, Traces } from './room-log.ts'

/** Batches that wait while the log is read; if more come, they are dropped and the log is read once more. */
const BATCHES_KEPT_IN_REPAIR = 64
/** Entries that one read of a repair asks for: what a repair may hold in memory at a time. */
const REPAIR_READ_LIMIT = 500
/** How long a feed that seems behind may take to catch up by itself, in milliseconds: live batches may be on their way. */
const BEHIND_WAIT_MS = 1_000
/** First and longest wait between attempts to read the log, in milliseconds. */
const REPAIR_RETRY_MS = 50
const REPAIR_RETRY_MAX_MS = 1_000

/** Why a feed reads the log. */
export type RepairReason = 'gap' | 'resumed' | 'behind'

/** Consecutive entries of a room, in the room's one order. */
export interface Run {
  /** The epoch in which these numbers were given. */
  readonly epoch: string
  readonly entries: readonly Entry[]
  /** When the log took them, by its clock; undefined when they were read later. */
  readonly at?: number
  /** Of the batch that this is of: entries that were delivered before may be among them. */
  readonly traces?: Traces | undefined
}

export interface FeedListener {
  /** Each entry once, in order. The feed's `cursor` is already at the end of the run. */
  onRun(run: Run): void
  /** Entries after the cursor are no longer in the log: what follows has a hole. */
  onLost?(): void
  /** A live batch did not follow the cursor, or the subscription was interrupted: the log is read. */
  onRepair?(reason: RepairReason): void
}

/**
 * Follows one room from a position on: subscribes, reads what the position lacks, and then delivers batch by batch, in order, each
 * entry once. A gap, an interruption of the subscription or a new epoch is repaired from the log before anything later is delivered.
 * While the log is away it waits and tries again.
 */
export class RoomFeed {
  readonly #log: RoomLog
  readonly #room: RoomId
  readonly #listener: FeedListener
  #following: Following | undefined
  #cursor: Position = { epoch: '0', seq: 0 }
  #waiting: LogBatch[] | undefined
  #isReadAgainNeeded = false
  #isClosed = false
  #behind: NodeJS.Timeout | undefined
  #retry: { timer: NodeJS.Timeout; wake: () => void } | undefined

  private constructor(log: RoomLog, room: RoomId, listener: FeedListener) {
    this.#log = log
    this.#room = room
    this.#listener = listener
  }

  /**
   * Opens a feed at `from`, or at the log's end. Resolves when the feed is live: with `from`, when everything up to then was delivered.
   * Rejects with `LogUnavailable`. `from` must be of this log: see `locate`.
   */
  static async open(
    log: RoomLog,
    room: RoomId,
    listener: FeedListener,
    from?: Position,
  ): Promise<RoomFeed> {
    const feed = new RoomFeed(log, room, listener)
    feed.#waiting = []
    const follower: Follower = {
      onBatch: (batch) => feed.#onBatch(batch),
      onResumed: () => feed.#startRepair('resumed'),
    }
    feed.#following = await log.follow(room, follower)
    try {
      if (from === undefined) {
        const [head] = await log.heads([room])
        if (head !== undefined) feed.#cursor = { epoch: head.epoch, seq: head.seq }
        feed.#drainWaiting()
        if (feed.#waiting !== undefined) await feed.#repair()
      } else {
        feed.#cursor = from
        await feed.#repair()
      }
    } catch (error) {
      feed.close()
      throw error
    }
    return feed
  }

  /** The end of what was delivered. */
  get cursor(): Position {
    return this.#cursor
  }

  /** Whether a repair is under way: what arrives meanwhile is delivered after it. */
  get isRepairing(): boolean {
    return this.#waiting !== undefined
  }

  /** Compares with a head that was read just now: a net under everything that a subscription can lose silently. */
  compare(head: Head): void {
    if (this.#waiting !== undefined || this.#isClosed) return
    if (head.epoch !== this.#cursor.epoch) {
      if (head.seq > 0) this.#startRepair('behind')
      return
    }
    if (head.seq <= this.#cursor.seq || this.#behind !== undefined) return
    this.#behind = setTimeout(() => {
      this.#behind = undefined
      if (head.epoch === this.#cursor.epoch && head.seq > this.#cursor.seq)
        this.#startRepair('behind')
    }, BEHIND_WAIT_MS)
    this.#behind.unref()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#behind)
    this.#following?.stop()
    if (this.#retry !== undefined) {
      clearTimeout(this.#retry.timer)
      this.#retry.wake()
    }
  }

  #onBatch(batch: LogBatch): void {
    if (this.#isClosed) return
    if (this.#waiting !== undefined) {
      if (this.#waiting.length < BATCHES_KEPT_IN_REPAIR) this.#waiting.push(batch)
      else this.#isReadAgainNeeded = true
      return
    }
    if (!this.#apply(batch)) this.#startRepair('gap')
  }

  /** Delivers what is new of a batch; false when something before it is missing. */
  #apply(batch: LogBatch): boolean {
    const decision = step(this.#cursor, batch)
    if (decision.kind === 'repair') return false
    if (decision.kind === 'ignore') return true
    const entries = batch.payloads
      .slice(decision.skip)
      .map((payload, i) => ({ seq: batch.first + decision.skip + i, payload }))
    this.#deliver({ epoch: batch.epoch, entries, at: batch.at, traces: batch.traces })
    return true
  }

  #deliver(run: Run): void {
    const last = run.entries.at(-1)
    if (last === undefined) return
    this.#cursor = { epoch: run.epoch, seq: last.seq }
    this.#listener.onRun(run)
  }

  #startRepair(reason: RepairReason): void {
    if (this.#isClosed) return
    if (this.#waiting !== undefined) {
      this.#isReadAgainNeeded = true
      return
    }
    this.#waiting = []
    this.#listener.onRepair?.(reason)
    void this.#repairUntilDone(reason)
  }

  async #repairUntilDone(reason: RepairReason): Promise<void> {
    for (
      let wait = REPAIR_RETRY_MS;
      !this.#isClosed;
      wait = Math.min(2 * wait, REPAIR_RETRY_MAX_MS)
    ) {
      try {
        // What was not told of, although nothing broke, will not be told of next time either.
        if (reason === 'behind') await this.#following?.renew()
        await this.#repair()
        return
      } catch {
        if (this.#isClosed) return
        // The log is away, which its owner reports; what is missing stays in it until it is back.
        await new Promise<void>((wake) => {
          this.#retry = { timer: setTimeout(wake, wait), wake }
        })
      }
    }
  }

  /** Reads from the cursor to the log's end, then goes on with the batches that came meanwhile. */
  async #repair(): Promise<void> {
    do {
      this.#isReadAgainNeeded = false
      let head: Head
      do {
        const page = await this.#log.read(this.#room, {
          after: this.#cursor.seq,
          limit: REPAIR_READ_LIMIT,
        })
        if (this.#isClosed) return
        head = page.head
        const place = locate(head, this.#cursor)
        if (place.kind !== 'known') {
          // The log lost what this feed has delivered, and gives those numbers again: all of them are new.
          this.#cursor = { epoch: head.epoch, seq: place.kind === 'cut' ? place.seq : 0 }
          this.#listener.onLost?.()
          continue
        }
        if (!isCompleteAfter(head, this.#cursor.seq)) this.#listener.onLost?.()
        for (const run of runsOf(head, page.entries)) this.#deliver(run)
        if (page.entries.length < REPAIR_READ_LIMIT)
          this.#cursor = { epoch: head.epoch, seq: head.seq }
      } while (this.#cursor.seq < head.seq || this.#cursor.epoch !== head.epoch)
      this.#drainWaiting()
    } while (this.#isReadAgainNeeded || this.#waiting !== undefined)
  }

  /** Goes live, unless one of the waiting batches does not follow. */
  #drainWaiting(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    if (this.#isReadAgainNeeded) {
      // Batches were dropped after those that wait: the log has them all.
      this.#waiting = []
      return
    }
    for (const [i, batch] of waiting.entries()) {
      if (this.#apply(batch)) continue
      this.#waiting = waiting.slice(i + 1)
      this.#isReadAgainNeeded = true
      return
    }
  }
}

/** Splits entries at the ends of epochs. */
export function* runsOf(head: Head, entries: readonly Entry[]): Generator<Run> {
  let from = 0
  for (let i = 1; i <= entries.length; i++) {
    const [first, next] = [entries[from], entries[i]]
    if (first === undefined) return
    const epoch = epochOf(head, first.seq)
    if (next !== undefined && epochOf(head, next.seq) === epoch) continue
    yield { epoch, entries: entries.slice(from, i) }
    from = i
  }
}
