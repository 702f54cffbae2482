import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  BANS_PER_ROOM_MAX,
  ClientError,
  decodeMessage,
  DELETE_SEARCH_MAX,
  encodeModeration,
  messageKey,
  offsetOf,
  parseOffset,
  type LoggedMessage,
  type Position,
  type RoomId,
} from '@roomcast/protocol'
import {
  assertKnown,
  epochOf,
  LogUnavailable,
  type Act,
  type Ban,
  type Head,
  type RoomLog,
} from '@roomcast/roomlog'

/** Waits before an act that failed is tried again, in milliseconds: a reconnect takes less than all of them. */
const RETRY_WAITS_MS = [50, 150, 400] as const
/** Messages that are read at a time when one is looked for by its id. */
const SEARCH_PAGE = 500
/** How often a message is looked for again whose log began a new epoch meanwhile. */
const DELETE_TRIES = 2

/**
 * Does what moderators ask for. Each act answers the offset of the event that tells the members of it. All reject with `ClientError`, or
 * with `LogUnavailable` when the log stays away: whether it was done is then unknown, and it may be asked for again.
 */
export interface Moderator {
  kick(room: RoomId, user: string, reason: string | undefined): Promise<string>
  ban(room: RoomId, ban: Ban): Promise<string>
  lift(room: RoomId, user: string): Promise<void>
  /** `message` is an offset, or an id that one message alone has. */
  delete(room: RoomId, message: string): Promise<string>
  clear(room: RoomId): Promise<string>
}

export function createModerator({
  roomLog,
  now,
}: {
  readonly roomLog: RoomLog
  readonly now: () => number
}): Moderator {
  /** Undefined when there is nothing to act on. With its key the event is there once, however often it is tried. */
  const act = async (
    room: RoomId,
    what: Act,
    payload: string,
    key: string = randomUUID(),
  ): Promise<string | undefined> => {
    const message = { payload, key: messageKey('', key) }
    const acted = await patiently(() => roomLog.moderation.act(room, what, message))
    if (acted.status === 'appended') return offsetOf(acted, 0)
    if (acted.status === 'missing') return undefined
    throw new ClientError('full', `a room has ${BANS_PER_ROOM_MAX} bans at most`)
  }

  return {
    async kick(room, user, reason) {
      const data = { user, ...(reason === undefined ? {} : { reason }) }
      const payload = encodeModeration('kicked', room, data, now())
      return found(await act(room, { kind: 'kick', user }, payload), 'nobody was in this room')
    },

    async ban(room, ban) {
      const { since, ...data } = ban
      const payload = encodeModeration('banned', room, data, since)
      return found(await act(room, { kind: 'ban', ban }, payload), 'the ban was not written')
    },

    async lift(room, user) {
      const wasBanned = await patiently(() => roomLog.moderation.lift(room, user))
      if (!wasBanned) throw new ClientError('not_found', 'this user is not banned from this room')
    },

    async delete(room, message) {
      for (let tries = 0; tries < DELETE_TRIES; tries++) {
        const asked = parseOffset(message)
        const { epoch, seq, said } =
          asked === undefined
            ? await findById(roomLog, room, message)
            : await findAt(roomLog, room, asked)
        const { offset, id } = said
        const data = { offset, ...(id === undefined ? {} : { id }) }
        const payload = encodeModeration('deleted', room, data, now())
        const told = await act(room, { kind: 'delete', epoch, seq }, payload, `deleted ${offset}`)
        if (told !== undefined) return told
      }
      throw new ClientError('unavailable', 'the room log changes: try again')
    },

    async clear(room) {
      const payload = encodeModeration('cleared', room, {}, now())
      return found(await act(room, { kind: 'clear' }, payload), 'nothing was said in this room')
    },
  }
}

function found(offset: string | undefined, message: string): string {
  if (offset === undefined) throw new ClientError('not_found', message)
  return offset
}

/** Runs it again while the log is away for a moment. */
async function patiently<T>(run: () => Promise<T>): Promise<T> {
  for (const wait of RETRY_WAITS_MS) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error
      await delay(wait)
    }
  }
  return run()
}

/** What somebody said, and how the log knows it: the epoch is that of the head with which it was read. */
interface Found {
  readonly epoch: string
  readonly seq: number
  readonly said: LoggedMessage
}

async function findAt(roomLog: RoomLog, room: RoomId, { epoch, seq }: Position): Promise<Found> {
  const { head, entries } = await roomLog.read(room, { after: seq - 1, limit: 1 })
  assertKnown(head, { epoch, seq })
  const [entry] = entries
  const isThere = seq > 0 && entry?.seq === seq && epochOf(head, seq) === epoch
  const said = isThere ? saidIn(head, entry) : undefined
  if (said === undefined) throw new ClientError('not_found', 'nothing was said at this offset')
  return { epoch: head.epoch, seq, said }
}

/** From the latest back. Of two messages with one id neither is taken: senders choose their ids. */
async function findById(roomLog: RoomLog, room: RoomId, id: string): Promise<Found> {
  const quoted = `"id":${JSON.stringify(id)}`
  let match: Found | undefined
  let before: number | undefined
  for (let seen = 0; seen < DELETE_SEARCH_MAX; seen += SEARCH_PAGE) {
    const { head, entries } = await roomLog.read(room, {
      ...(before === undefined ? {} : { before }),
      limit: SEARCH_PAGE,
    })
    for (const entry of entries) {
      const said = entry.payload.includes(quoted) ? saidIn(head, entry) : undefined
      if (said?.id !== id) continue
      if (match !== undefined)
        throw new ClientError('ambiguous', 'several messages have this id: name one by its offset')
      match = { epoch: head.epoch, seq: entry.seq, said }
    }
    before = entries[0]?.seq
    if (entries.length < SEARCH_PAGE) break
  }
  if (match === undefined) {
    const message = `none of the latest ${DELETE_SEARCH_MAX} messages has this id`
    throw new ClientError('not_found', message)
  }
  return match
}

/** What somebody said; undefined for notices and for what can not be read. */
function saidIn(
  head: Head,
  { seq, payload }: { readonly seq: number; readonly payload: string },
): LoggedMessage | undefined {
  try {
    const message = decodeMessage(payload, { epoch: epochOf(head, seq), seq })
    return message.event === 'broadcast_say' ? message : undefined
  } catch {
    return undefined
  }
}
