import { z } from 'zod'
import { encodeMessage, type EventData } from './events.ts'
import { BAN_MAX_MS, CLIENT_ID_MAX_CHARS, REASON_MAX_CHARS, USER_MAX_CHARS } from './limits.ts'
import { line } from './text.ts'
import { RoomId } from './rooms.ts'

/** Who is meant: the subject of his token, or in open mode the name with which he joins. */
export const User = line('user', USER_MAX_CHARS)

/** A moderator's words for the members and for the one whom it concerns. */
const Reason = line('reason', REASON_MAX_CHARS).optional()

/** `POST /v1/rooms/{room}/kick` */
export const Kick = z.object({ user: User, reason: Reason })

/** `POST /v1/rooms/{room}/bans` */
export const BanRequest = z.object({
  user: User,
  reason: Reason,
  durationMs: z
    .int({ error: 'durationMs must be a whole number of milliseconds' })
    .min(1_000, { error: 'durationMs must be at least 1000' })
    .max(BAN_MAX_MS, { error: `durationMs must be at most ${BAN_MAX_MS}` })
    .optional()
    .describe('how long it lasts; without it until it is lifted'),
})

/** A ban as the HTTP API shows it. Times are in milliseconds since 1970. */
export const BanView = z.object({
  user: z.string(),
  since: z.int(),
  until: z.int().optional().describe('absent for one that lasts until it is lifted'),
  reason: z.string().optional(),
})
export const BansView = z.object({ bans: z.array(BanView) })

/** What became of an act that members are told of: the place of the event that tells them. */
export const Moderated = z.object({ offset: z.string() })

export const BanParams = z.object({ room: RoomId, user: User })

/** `DELETE /v1/rooms/{room}/messages/{message}`: an offset, or else the sender's id. */
export const MessageParams = z.object({
  room: RoomId,
  message: line('message', CLIENT_ID_MAX_CHARS),
})

export const UserParams = z.object({ user: User })

/** `POST /v1/users/{user}/disconnect` */
export const Disconnect = z.preprocess(
  (body) => body ?? {},
  z.object({
    reason: Reason,
    revokeTokens: z
      .boolean({ error: 'revokeTokens must be true or false' })
      .default(true)
      .describe('whether tokens that were issued before this moment are refused from now on'),
  }),
)

/** `at`: the moment that counts, in milliseconds since 1970 by the clock of the store. */
export const Disconnected = z.object({ at: z.int() })

/** Who has to leave a room because of an entry of its log, and with which words. */
export interface Removal {
  readonly code: 'kicked' | 'banned'
  readonly user: string
  readonly reason: string | undefined
}

/** Payloads begin with their event, since the server alone writes them: so this costs next to nothing for the others. */
const KICKED = '{"event":"kicked",'
const BANNED = '{"event":"banned",'

/** The removal that a payload of a room's log tells of; undefined for every other message. */
export function removalOf(payload: string): Removal | undefined {
  if (!payload.startsWith(KICKED) && !payload.startsWith(BANNED)) return undefined
  const parsed = RemovalPayload.safeParse(JSON.parse(payload))
  if (!parsed.success) return undefined
  const { event, data } = parsed.data
  return { code: event, user: data.user, reason: data.reason }
}

const RemovalPayload = z.object({
  event: z.enum(['kicked', 'banned']),
  data: z.object({ user: z.string(), reason: z.string().optional() }),
})

/** The payload of an event of moderation, as it is kept in the room's log. */
export function encodeModeration<E extends 'kicked' | 'banned' | 'deleted' | 'cleared'>(
  event: E,
  room: RoomId,
  data: EventData[E],
  ts: number,
): string {
  return encodeMessage({ event, room, data, ts } as Parameters<typeof encodeMessage>[0])
}
