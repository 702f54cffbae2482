import { z } from 'zod'
import type { Refusal } from './errors.ts'
import type { MembersView } from './http.ts'
import {
  HISTORY_LIMIT_DEFAULT,
  HISTORY_LIMIT_MAX,
  MEMBERS_LIMIT_DEFAULT,
  MEMBERS_LIMIT_MAX,
} from './limits.ts'
import { MemberName, messageContent, type MessageContent } from './message.ts'
import { Offset, type Position } from './offset.ts'

/** `join {username}`: become a member of the connection's room. */
export const Join = z.object({ username: MemberName }, { error: 'join takes {username}' })
export type Join = z.infer<typeof Join>

/** `join` with a token that has a name: nothing need be said. */
export const JoinNamed = z.object(
  { username: MemberName.optional() },
  { error: 'join takes {username?}' },
)

/** `refresh {token}`: go on with a new token. */
export const Refresh = z.object(
  { token: z.string({ error: 'token must be a string' }) },
  { error: 'refresh takes {token}' },
)
export type Refresh = z.infer<typeof Refresh>

/** `say {text, type?, data?, id?}`. A `username` is ignored: the sender's name is the one he joined with. */
export function say(textMaxBytes?: number) {
  return messageContent(textMaxBytes)
}
export type Say = MessageContent

/**
 * `history {before?, after?, limit?}`: messages of the room's log, oldest first: those right after `after`, else those
 * right before `before`, else the latest.
 */
export const History = z
  .object(
    {
      before: Offset.optional(),
      after: Offset.optional(),
      limit: z
        .int({ error: `limit must be a whole number from 1 to ${HISTORY_LIMIT_MAX}` })
        .min(1, { error: `limit must be at least 1` })
        .max(HISTORY_LIMIT_MAX, { error: `limit must be at most ${HISTORY_LIMIT_MAX}` })
        .default(HISTORY_LIMIT_DEFAULT),
    },
    { error: 'history takes {before?, after?, limit?}' },
  )
  .refine(({ before, after }) => before === undefined || after === undefined, {
    error: 'history takes before or after, not both',
  })
export type History = z.infer<typeof History>

/** `members {limit?}`: who is in the room. */
export const Members = z.object(
  {
    limit: z
      .int({ error: `limit must be a whole number from 1 to ${MEMBERS_LIMIT_MAX}` })
      .min(1, { error: `limit must be at least 1` })
      .max(MEMBERS_LIMIT_MAX, { error: `limit must be at most ${MEMBERS_LIMIT_MAX}` })
      .default(MEMBERS_LIMIT_DEFAULT),
  },
  { error: 'members takes {limit?}' },
)
export type Members = z.infer<typeof Members>

/** Whose a message is. */
export type Author = {
  readonly username: string
  /** The `sub` of his token, where tokens are required: names may be alike, users are not. */
  readonly user?: string | undefined
}

/** What one message says, by its `event`. The first seven are logged: ordered, numbered, kept, recoverable. */
export interface EventData {
  join: Author
  broadcast_say: Author & {
    readonly text: string
    readonly type?: number | string
    readonly data?: unknown
  }
  broadcast_quit: Author
  /** A moderator removed a user from the room. */
  kicked: { readonly user: string; readonly reason?: string }
  /** A moderator banned a user from the room, until a time in milliseconds since 1970, or for good. */
  banned: { readonly user: string; readonly reason?: string; readonly until?: number }
  /** The message at this offset is no longer in the log: to be taken off the screen. `id` is the one that it had. */
  deleted: { readonly offset: string; readonly id?: string }
  /** No message before this one is in the log any more. */
  cleared: Readonly<Record<string, never>>
  /** To a new member alone: who he is here, and how many members the room has. */
  joined: Author & {
    readonly online: number
    /** Its token lets it read alone. */
    readonly readOnly?: true
  }
  /** The number of members of the room, in the whole cluster. */
  count: { readonly online: number }
  /** Something that the client sent and did not ask an acknowledgement for was refused. */
  error: Omit<Refusal, 'ok'>
}

export const LOGGED_EVENTS = [
  'join',
  'broadcast_say',
  'broadcast_quit',
  'kicked',
  'banned',
  'deleted',
  'cleared',
] as const
export type LoggedEvent = (typeof LOGGED_EVENTS)[number]

/** The one event that servers emit: `message`. */
export type Message<E extends keyof EventData = keyof EventData> = {
  [K in E]: {
    readonly event: K
    readonly room: string
    readonly data: EventData[K]
    /** The sender's own id for it, when he gave one. */
    readonly id?: string
    /** When a server took it, in milliseconds since 1970. */
    readonly ts?: number
  }
}[E]

/** A logged message with its place in the log, as `history` and the HTTP API answer it. */
export type LoggedMessage = Message<LoggedEvent> & { readonly offset: string }

export interface Joined {
  readonly ok: true
  readonly room: string
  readonly username: string
  readonly online: number
  /** The token's `sub`, where tokens are required. */
  readonly user?: string
  /** The token lets him read alone. */
  readonly readOnly?: true
  /** Where the member's live messages begin: everything after it will arrive. */
  readonly offset: string
}
export interface Said {
  readonly ok: true
  /** The client's id, or the one that the server gave. */
  readonly id: string
  readonly offset: string
}
export interface Left {
  readonly ok: true
}
export interface Refreshed {
  readonly ok: true
  /** When the token ends, in milliseconds since 1970; absent when it does not. */
  readonly expiresAt?: number
  readonly readOnly?: true
}
export interface HistoryPage {
  readonly ok: true
  readonly messages: readonly LoggedMessage[]
  /** The end of this page: ask `after` it for what follows. */
  readonly offset: string
  /** False when messages that belong here are no longer in the log. */
  readonly complete: boolean
}

/** `members` is absent when the room has more users than were asked for. */
export type MemberList = { readonly ok: true } & Readonly<MembersView>

type Ack<T> = (answer: T | Refusal) => void

/** Client to server. Every event takes an optional acknowledgement as last argument. */
export interface ClientToServer {
  join: (request: Partial<Join>, ack?: Ack<Joined>) => void
  say: (request: Say, ack?: Ack<Said>) => void
  leave: (ack?: Ack<Left>) => void
  history: (request: History, ack?: Ack<HistoryPage>) => void
  members: (request: Members, ack?: Ack<MemberList>) => void
  refresh: (request: Refresh, ack?: Ack<Refreshed>) => void
}

/** Server to client. `offset` is present on logged messages and on `joined`. */
export interface ServerToClient {
  message: (message: Message, offset?: string) => void
}

/** The events that a client may send, in the order in which a list of them is shown to people. */
export const CLIENT_EVENTS = [
  'join',
  'say',
  'leave',
  'history',
  'members',
  'refresh',
] as const satisfies (keyof ClientToServer)[]

/**
 * The JSON of a logged message as it is kept in the log and sent to clients, without its offset.
 * Written once, where the message enters; after that only bytes are copied. It has no line break (JSON escapes them).
 */
export function encodeMessage(message: Message<LoggedEvent>): string {
  return JSON.stringify(message)
}

/** The logged message of a payload that `encodeMessage` wrote, with its place. */
export function decodeMessage(payload: string, position: Position): LoggedMessage {
  const message = LoggedPayload.parse(JSON.parse(payload)) as Message<LoggedEvent>
  return { ...message, offset: `${position.epoch}:${position.seq}` }
}

/** Loose on purpose: during a rollout another version may have written it. */
const LoggedPayload = z.looseObject({
  event: z.enum(LOGGED_EVENTS),
  room: z.string(),
  data: z.looseObject({}),
})
