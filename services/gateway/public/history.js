import { retryDelayMs } from './backoff.js'
import { HISTORY_LIMIT_MAX } from './limits.js'
import { parseOffset } from './offset.js'

const PAGE = 50
/** Someone who missed more than this many pages gets the latest messages; the others are there for who scrolls up. */
const CATCH_UP_PAGES_MAX = 3
/** Live messages that may wait for the history before them. */
const HELD_MAX = 1_000
/** Messages and notices in the list while it follows the end. */
const RENDERED_MAX = 500
/** The same while the person reads further up. Beyond it, what is furthest from him goes, and comes back as he scrolls. */
const RENDERED_MAX_AWAY = 1_000

/**
 * Fills the timeline without a hole: the latest messages when entering, what was missed after a break, earlier and later
 * ones as the person scrolls.
 *
 * `cursor` is the end of what is here without a hole. While a hole before the live messages is being filled those are
 * held, so that they neither get lost nor jump the queue.
 *
 * `on.added(entries)` gets what is new at the end, `on.changed()` is called after every change.
 */
export function createHistory({ ask, timeline, on }) {
  let cursor
  let held
  let heldTooMany = false
  let isLoaded = false
  /** Whether the list ends before the latest message, because the person is far up: live messages are not added. */
  let isDetached = false
  /** Grows with each connection, so that an answer for an earlier one changes nothing. */
  let turn = 0
  let isPaging = false
  let earlier = 'unknown'

  function hold() {
    held ??= []
  }

  function release() {
    const messages = held ?? []
    held = undefined
    for (const [message, offset] of messages) addLive(message, offset)
  }

  function addLive(message, offset) {
    const entry = timeline.addLive(message, offset)
    advance(offset)
    if (entry) on.added([entry])
  }

  function advance(offset) {
    const [next, here] = [parseOffset(offset), parseOffset(cursor)]
    if (next && (next.epoch !== here?.epoch || next.seq > here.seq)) cursor = offset
  }

  /** Asks until there is an answer. Undefined when the connection is another one by then. */
  async function read(request) {
    const mine = turn
    for (let attempt = 1; ; attempt++) {
      try {
        const page = await ask('history', request)
        return mine === turn ? page : undefined
      } catch (refused) {
        if (mine !== turn || refused.code === 'disconnected') return undefined
        if (!refused.isPassing) throw refused
        await new Promise((resolve) => setTimeout(resolve, retryDelayMs(refused, attempt)))
        if (mine !== turn) return undefined
      }
    }
  }

  /** @param {{isFresh?: boolean}} how Fresh: nothing of what is here stays. */
  async function loadLatest({ isFresh = false } = {}) {
    const page = await read({ limit: PAGE })
    if (page === undefined) return
    if (isFresh) timeline.clear()
    const entries = timeline.addPage(page.messages)
    cursor = page.offset
    // After a break the list may begin with messages of the log before it.
    if (timeline.oldest?.offset === page.messages[0]?.offset) earlier = atStart(page) ?? 'more'
    if (isLoaded) on.added(entries)
    isLoaded = true
    isDetached = false
    release()
  }

  /** Everything after the cursor, up to where live messages begin. */
  async function catchUp(target) {
    for (let pages = 0; pages < CATCH_UP_PAGES_MAX; pages++) {
      const page = await read({ after: cursor, limit: HISTORY_LIMIT_MAX })
      if (page === undefined) return
      if (!page.complete) timeline.addGapAfter(cursor)
      on.added(timeline.addPage(page.messages))
      cursor = page.offset
      on.changed()
      if (isAtEnd(page, target)) {
        release()
        return
      }
    }
    await loadLatest({ isFresh: true })
  }

  function isAtEnd({ messages, offset }, target) {
    if (heldTooMany) {
      heldTooMany = false
      held = []
      return false
    }
    const [end, goal] = [parseOffset(offset), parseOffset(target)]
    return messages.length === 0 || (goal && end?.epoch === goal.epoch && end.seq >= goal.seq)
  }

  function trimOldest(max) {
    if (timeline.trimOldest(max) && earlier !== 'loading') earlier = 'more'
  }

  function trimNewest(max) {
    if (!timeline.trimNewest(max)) return
    isDetached = true
    cursor = timeline.newest?.offset ?? cursor
  }

  async function loadLatestAfterBreak() {
    timeline.addBreak()
    await loadLatest()
  }

  /** Runs one way of filling the hole before the live messages, and shows them in any case. */
  async function fill(run) {
    hold()
    on.changed()
    try {
      await run().catch((refused) => {
        if (!isGone(refused)) throw refused
        return loadLatestAfterBreak()
      })
    } catch {
      // Not allowed to read, or a fault of the server: what happens from now on is still worth showing.
      earlier = 'failed'
      isLoaded = true
      isDetached = false
      release()
    }
    on.changed()
  }

  return {
    get earlier() {
      return earlier
    },
    get isFilling() {
      return held !== undefined
    },
    get isLoaded() {
      return isLoaded
    },
    get isDetached() {
      return isDetached
    },

    /** A new membership begins, whose first live messages may come before it is known where they begin. */
    joining() {
      turn++
      isPaging = false
      held = isDetached ? undefined : []
    },
    /** Its live messages begin after `offset`; the history has all before them. */
    async joined(offset) {
      cursor ??= offset
      if (!isDetached) await fill(() => (isLoaded ? catchUp(offset) : loadLatest()))
    },
    /** The same membership: the server sends what was missed, but a hole that was being filled is still there. */
    async resumed() {
      turn++
      isPaging = false
      if (isDetached) held = undefined
      else if (held) await fill(() => (isLoaded ? catchUp() : loadLatest()))
    },
    broken() {
      turn++
      isPaging = false
      if (earlier === 'loading') earlier = 'more'
    },

    live(message, offset) {
      if (held) {
        held.push([message, offset])
        if (held.length > HELD_MAX) {
          held.shift()
          heldTooMany = true
        }
      } else if (isDetached) {
        timeline.moderate(message, offset)
        on.added([{ event: message.event, isOwn: false }])
        on.changed()
      } else {
        addLive(message, offset)
        on.changed()
      }
    },

    /** The page before the oldest message that is here. */
    async loadEarlier() {
      const oldest = timeline.oldest
      if (isPaging || !isLoaded || oldest === undefined || !['more', 'failed'].includes(earlier))
        return
      isPaging = true
      earlier = 'loading'
      on.changed()
      try {
        const page = await read({ before: oldest.offset, limit: PAGE })
        if (page === undefined) return
        timeline.addEarlier(page.messages)
        trimNewest(RENDERED_MAX_AWAY)
        earlier = atStart(page) ?? 'more'
      } catch (refused) {
        earlier = isGone(refused) ? 'trimmed' : 'failed'
      }
      isPaging = false
      on.changed()
    },

    /** The page after the newest message that is here, when the list ends before the latest. */
    async loadLater() {
      if (!isDetached || isPaging) return
      isPaging = true
      await fill(async () => {
        const page = await read({ after: cursor, limit: PAGE })
        if (page === undefined) return
        if (!page.complete) timeline.addGapAfter(cursor)
        timeline.addPage(page.messages)
        cursor = page.offset
        isDetached = page.messages.length > 0
        if (isDetached) held = undefined
        else release()
        trimOldest(RENDERED_MAX_AWAY)
      })
      isPaging = false
    },
    async jumpToLatest() {
      if (!isDetached) return
      isPaging = true
      await fill(() => loadLatest({ isFresh: true }))
      isPaging = false
    },

    /** Keeps the list bounded, whether it follows the end or stands still under the person's eyes. */
    trim(isFollowing) {
      if (isFollowing) trimOldest(RENDERED_MAX)
      else trimNewest(RENDERED_MAX_AWAY)
    },
    /** Whether a list at its end would lose at its beginning what it loads there. */
    get isFull() {
      return timeline.logged.length > RENDERED_MAX - PAGE
    },
  }
}

/** What begins the list when nothing is before this page, else undefined. */
function atStart({ messages, complete }) {
  if (messages.length === 0) return complete ? 'beginning' : 'trimmed'
  return parseOffset(messages[0].offset)?.seq === 1 ? 'beginning' : undefined
}

function isGone({ code }) {
  return code === 'offset_gone' || code === 'invalid_offset'
}
