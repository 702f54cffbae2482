import { z } from 'zod'
import { ERROR_CODES, type ErrorCode } from './errors.ts'
import { LOGGED_EVENTS } from './events.ts'
import {
  HISTORY_LIMIT_DEFAULT,
  HISTORY_LIMIT_MAX,
  LONG_POLL_MAX_SECONDS,
  MEMBERS_HTTP_LIMIT_MAX,
  MEMBERS_LIMIT_DEFAULT,
  PUBLISH_BATCH_MAX,
} from './limits.ts'
import { MemberName, messageContent } from './message.ts'
import { Offset } from './offset.ts'
import { RoomId } from './rooms.ts'

/** RFC 9457 problem details, as every HTTP API here answers errors. `code` is from the list of `errors.ts`. */
export const Problem = z.object({
  type: z.string().describe('`about:blank`: `code` says what it is'),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string().optional(),
  retryAfterMs: z.int().optional().describe('milliseconds; also as Retry-After in seconds'),
  errors: z
    .array(z.object({ path: z.string(), message: z.string() }))
    .optional()
    .describe('each fault of the request, `path` as in `messages.3.text`'),
})
export type Problem = z.infer<typeof Problem>

export const RoomParams = z.object({ room: RoomId })

/** `POST /v1/rooms/{room}/messages` */
export function publish(textMaxBytes?: number) {
  return messageContent(textMaxBytes).extend({ username: MemberName })
}

/** `POST /v1/messages`: all or nothing as far as checks go; each room's messages keep their order. */
export function publishBatch(textMaxBytes?: number) {
  return z.object({
    messages: z
      .array(publish(textMaxBytes).extend({ room: RoomId }))
      .min(1)
      .max(PUBLISH_BATCH_MAX),
  })
}

export const Published = z.object({ id: z.string(), offset: z.string() })
export const PublishedBatch = z.object({
  messages: z.array(Published.extend({ room: z.string() })),
})

const limit = z.coerce
  .number()
  .int({ error: 'limit must be a whole number' })
  .min(1, { error: 'limit must be at least 1' })
  .max(HISTORY_LIMIT_MAX, { error: `limit must be at most ${HISTORY_LIMIT_MAX}` })
  .default(HISTORY_LIMIT_DEFAULT)

/** `GET /v1/rooms/{room}/messages` */
export const MessagesQuery = z
  .object({
    after: Offset.optional(),
    before: Offset.optional(),
    limit,
    wait: z.coerce
      .number()
      .min(0, { error: 'wait must be 0 or more seconds' })
      .max(LONG_POLL_MAX_SECONDS, {
        error: `wait must be at most ${LONG_POLL_MAX_SECONDS} seconds`,
      })
      .default(0),
  })
  .refine(({ before, after }) => before === undefined || after === undefined, {
    error: 'give before or after, not both',
  })
  .refine(({ before, wait }) => before === undefined || wait === 0, {
    error: 'wait goes with after, or with neither',
  })

/** A logged message as the HTTP API shows it. */
export const MessageView = z.looseObject({
  event: z.enum(LOGGED_EVENTS),
  room: z.string(),
  data: z.looseObject({
    username: z.string().optional().describe('of `join`, `broadcast_say` and `broadcast_quit`'),
  }),
  id: z.string().optional(),
  ts: z.number().optional(),
  offset: z.string(),
})
export const MessagesView = z.object({
  messages: z.array(MessageView),
  offset: z.string().describe('the end of this page: ask `after` it for what follows'),
  complete: z.boolean().describe('false when messages that belong here are no longer in the log'),
})

const gatewayStates = ['ready', 'draining', 'silent', 'not_reporting'] as const

export const GatewayView = z.object({
  instance: z.string().describe('the process; of one that is not reporting, the uid of its Pod'),
  pod: z.string(),
  address: z.string(),
  version: z.string(),
  startedAt: z.number(),
  state: z
    .enum(gatewayStates)
    .describe(
      '`draining`: it sends its connections elsewhere and ends. `silent`: nothing came from it for two beats (2 s), and it is forgotten when its lease runs out. `not_reporting`: Kubernetes runs its Pod, but this replica does not hear it, so its numbers are zeros.',
    ),
  connections: z.object({ websocket: z.int(), polling: z.int() }),
  members: z.int(),
  rooms: z.int(),
  ageMs: z.int().describe('milliseconds since its last report'),
})
export const GatewaysView = z.object({ gateways: z.array(GatewayView) })

/** `GET /v1/stats` of presence. `connections` counts sockets of the transport, `members` sockets in rooms. */
export const StatsView = z.object({
  connections: z.int(),
  transports: z.object({ websocket: z.int(), polling: z.int() }),
  members: z.int(),
  rooms: z.int(),
  gateways: z.int(),
  complete: z.boolean().describe('false while a restarted replica has not heard every gateway'),
})

/** `GET /v1/rooms` of presence: the busiest rooms first. */
export const RoomsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(50),
  search: z.string().max(128).optional(),
})
export const RoomView = z.object({
  room: z.string(),
  online: z.int().describe('members: sockets in the room, in the whole cluster'),
  users: z.int().describe('distinct users among them: names, where no tokens are required'),
  gateways: z.int().describe('gateways that have members of the room'),
})
export const RoomsView = z.object({ rooms: z.array(RoomView), total: z.int() })

/** The first event of `GET /v1/events` of presence, `state`: all that its dashboard shows. */
export const PresenceView = z.object({
  at: z.number().describe('milliseconds since 1970, as on every event'),
  replica: z.object({
    name: z.string().describe('of the replica that answers: its pod'),
    version: z.string(),
    startedAt: z.number(),
    open: z.boolean().describe('whether it has no API keys, so that everybody may see this'),
  }),
  stats: StatsView,
  gateways: z.array(GatewayView).describe('every one, by pod'),
  rooms: RoomsView.describe('the busiest'),
})
export type PresenceView = z.infer<typeof PresenceView>

/** Every other event of that stream, `change`: what took the place of what was told before. */
export const PresenceChange = z.object({
  at: z.number(),
  stats: StatsView.optional(),
  gateways: z
    .object({ changed: z.array(GatewayView), gone: z.array(z.string()).describe('instances') })
    .optional(),
  rooms: RoomsView.optional(),
})
export type PresenceChange = z.infer<typeof PresenceChange>

/** `GET /v1/history` of presence. */
export const HistoryRange = z.enum(['5m', '2h', '24h'])
export type HistoryRange = z.infer<typeof HistoryRange>
export const HistoryQuery = z.object({
  range: HistoryRange.default('2h').describe('in steps of 1, 10 and 60 seconds'),
})
const points = z.array(z.int().nullable())
export const HistoryView = z.object({
  range: HistoryRange,
  stepMs: z.int(),
  lengthMs: z.int().describe('of the whole range; there are fewer points while a replica is young'),
  startMs: z.int().describe('where the first point is, in milliseconds since 1970'),
  connections: points,
  members: points,
  rooms: points,
  gateways: points,
})
export type HistoryView = z.infer<typeof HistoryView>

/** `GET /v1/rooms/{room}/members` of presence, and the answer to `members` of a client. */
export const MembersQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MEMBERS_HTTP_LIMIT_MAX)
    .default(MEMBERS_LIMIT_DEFAULT)
    .describe('most users that are listed; of a room with more come the numbers alone'),
})
export const MemberView = z.object({
  name: z.string(),
  user: z.string().optional().describe('who it is, where tokens are required'),
  since: z.number().describe('when the first of its connections joined, ms since 1970'),
  gateway: z.string().describe('the pod of the gateway on which that one is'),
  connections: z.int().describe('sockets of this user in the room'),
})
export type MemberView = z.infer<typeof MemberView>
export const MembersView = z.object({
  room: z.string(),
  online: z.int().describe('members: sockets in the room, in the whole cluster'),
  users: z.int().describe('distinct users among them: names, where no tokens are required'),
  members: z
    .array(MemberView)
    .optional()
    .describe('each user once, who is there for longest first; absent when there are over `limit`'),
})
export type MembersView = z.infer<typeof MembersView>

/** Where a gateway asks presence for the members of a room; the query and the answer are the same. `:room` stands for its id. */
export const INTERNAL_MEMBERS_PATH = '/internal/rooms/:room/members'

/** What a daemon needs to know about a caller of an internal path. */
export const INTERNAL_TOKEN_HEADER = 'x-roomcast-token'
