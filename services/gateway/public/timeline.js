import { parseOffset } from './offset.js'

/**
 * @typedef {object} Entry What the list shows in one place.
 * @property {string} key Its own for as long as it exists.
 * @property {'broadcast_say' | 'join' | 'broadcast_quit' | 'kicked' | 'banned' | 'deleted' | 'cleared' | 'gap'} event
 *   A gap is where messages may be missing. What was deleted has a place and is not shown.
 * @property {number} [segment] Logs in the order in which this page saw them; see `Timeline`.
 * @property {number} [seq] Its number in the log. A gap has a place between numbers.
 * @property {string} [offset] Absent while it is only here.
 * @property {string} [author] Who it is by, or about.
 * @property {string} [user]
 * @property {string} [text] Or a moderator's reason.
 * @property {boolean} [isDeleted] A moderator took its text away.
 * @property {number} [ts]
 * @property {string} [id] The sender's id for it.
 * @property {boolean} isOwn
 * @property {'pending' | 'sent' | 'failed'} state
 * @property {string} [note] Words about a message that is not sent yet.
 */

/**
 * The messages of a room in its one order, each once, however often and in whatever order they arrive; after them the
 * own ones that the log does not have yet.
 *
 * A room's log numbers its messages without end, so a number is a place. When a log was lost or cut back, the numbers
 * begin again lower: what comes then belongs to the next segment, after everything before it.
 */
export function createTimeline() {
  let self = ''
  /** Where the server tells users apart, names may be alike. */
  let selfUser
  let segment = 0
  /** @type {Entry[]} In order of segment and number. */
  let logged = []
  /** @type {Entry[]} Own messages that are not in the log, in the order in which they will be sent. */
  let waiting = []

  const isSelf = ({ author, user }) =>
    selfUser === undefined ? author === self : user === selfUser

  function add(message, offset, source) {
    const position = parseOffset(offset)
    if (position === undefined) return undefined
    if (source === 'live') startSegmentIfNumbersFell(position)
    moderate(message, offset)
    const { username, user, text, reason } = message.data
    const entry = {
      key: `${segment}/${offset}`,
      event: message.event,
      segment,
      seq: position.seq,
      offset,
      author: username ?? user,
      user,
      text: text ?? reason,
      ts: message.ts,
      id: message.id,
      isOwn: source !== 'live' && isSelf({ author: username, user }),
      state: 'sent',
    }
    const own = takeWaiting(entry)
    if (own) return place(Object.assign(own, entry, { key: own.key, isOwn: true, note: undefined }))
    const known = logged.find((other) => isSame(other, entry))
    // What an acknowledgement placed has this page's time and text until the log's own arrives.
    if (known && !known.isDeleted)
      Object.assign(known, { ts: entry.ts ?? known.ts, text: entry.text })
    return known ? undefined : place(entry)
  }

  function startSegmentIfNumbersFell({ epoch, seq }) {
    const last = logged.findLast((entry) => entry.offset !== undefined)
    if (last === undefined || last.segment !== segment || seq > last.seq) return
    if (
      parseOffset(last.offset).epoch !== epoch &&
      !logged.some((entry) => entry.offset === `${epoch}:${seq}`)
    ) {
      segment++
    }
  }

  /** Does to what is here what a moderator did to the log. */
  function moderate({ event, data }, offset) {
    if (event === 'deleted') {
      const entry = logged.findLast((other) => other.offset === data.offset)
      if (entry) Object.assign(entry, { isDeleted: true, text: undefined })
    } else if (event === 'cleared') {
      const { seq } = parseOffset(offset)
      logged = logged.filter((entry) => !isBefore(entry, { segment, seq }))
    }
  }

  function takeWaiting({ event, id, author, user }) {
    if (event !== 'broadcast_say' || id === undefined || !isSelf({ author, user })) return undefined
    const at = waiting.findIndex((entry) => entry.id === id)
    return at < 0 ? undefined : waiting.splice(at, 1)[0]
  }

  /** Puts an entry where it belongs; nearly always that is at the end. */
  function place(entry) {
    let at = logged.length
    while (at > 0 && isBefore(entry, logged[at - 1])) at--
    logged.splice(at, 0, entry)
    return entry
  }

  return {
    get logged() {
      return logged
    },
    get waiting() {
      return waiting
    },
    get oldest() {
      return logged.find((entry) => entry.offset !== undefined)
    },
    get newest() {
      return logged.findLast((entry) => entry.offset !== undefined)
    },

    /** The name, and the user if the server told one, by which own messages are known in the log. */
    setSelf(name, user) {
      self = name
      selfUser = user
    },

    /** A message as it came over the connection. Returns its entry if it is new here. */
    addLive(message, offset) {
      return add(message, offset, 'live')
    },
    /** Messages of a history page. Returns the entries that are new here. */
    addPage(messages) {
      return messages.map((message) => add(message, message.offset, 'history')).filter(Boolean)
    },
    /** A page before everything that is here: it belongs to the first segment, not to the current one. */
    addEarlier(messages) {
      const current = segment
      segment = logged[0]?.segment ?? segment
      for (const message of messages) add(message, message.offset, 'history')
      segment = current
    },

    /** The effect of a moderator's event alone, for a list that ends before it. */
    moderate,

    /** Marks that messages after the offset `after` are missing. */
    addGapAfter(after) {
      const seq = (parseOffset(after)?.seq ?? 0) + 0.5
      placeGap(seq)
    },
    /** What follows is of another log, or of the same one cut back: numbers can't be compared with those before. */
    addBreak() {
      if (logged.length === 0) return
      segment++
      placeGap(-1)
    },

    /** An own message, before the log has it. */
    addOwn(id, text, ts) {
      const entry = {
        key: `own/${id}`,
        event: 'broadcast_say',
        author: self,
        user: selfUser,
        text,
        ts,
        id,
        isOwn: true,
        state: 'pending',
      }
      waiting.push(entry)
      return entry
    },
    /** The log has the own message `id` at `offset`. Its broadcast may have told so before. */
    confirm(id, offset) {
      const position = parseOffset(offset)
      const entry = takeWaiting({ event: 'broadcast_say', id, author: self, user: selfUser })
      if (entry === undefined) return
      Object.assign(entry, { segment, seq: position.seq, offset, state: 'sent', note: undefined })
      if (!logged.some((other) => isSame(other, entry))) place(entry)
    },
    /** A waiting message goes to the end of those that wait. */
    requeue(id) {
      const at = waiting.findIndex((entry) => entry.id === id)
      if (at >= 0) waiting.push(...waiting.splice(at, 1))
    },
    discard(id) {
      waiting = waiting.filter((entry) => entry.id !== id)
    },

    trimOldest(max) {
      if (logged.length <= max) return false
      logged = logged.slice(-max)
      return true
    },
    trimNewest(max) {
      if (logged.length <= max) return false
      logged = logged.slice(0, max)
      return true
    },
    /** Forgets what the log has. What waits stays. */
    clear() {
      logged = []
    },
  }

  function placeGap(seq) {
    const gap = {
      key: `gap/${segment}/${seq}`,
      event: 'gap',
      segment,
      seq,
      isOwn: false,
      state: 'sent',
    }
    if (!logged.some((entry) => entry.key === gap.key)) place(gap)
  }
}

function isBefore(a, b) {
  return a.segment === b.segment ? a.seq < b.seq : a.segment < b.segment
}

/** One message: the same offset, or, seen in a log before and after it was cut back, the same number and content. */
function isSame(a, b) {
  if (a.seq !== b.seq || a.event !== b.event) return false
  return (
    a.offset === b.offset ||
    (a.ts === b.ts && a.author === b.author && a.text === b.text && a.id === b.id)
  )
}
