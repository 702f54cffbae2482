import {
  ClientError,
  EARLY_SAY_MAX,
  EARLY_SAY_WAIT_MS,
  encodeMessage,
  messageKey,
  say as saySchema,
  type Said,
  type Say,
} from '@roomcast/protocol'
import type { Context } from './context.ts'
import type { Member, Session } from './member.ts'
import { requireWrite } from './rights.ts'
import { memberOf, parseRequest, roomOf } from './request.ts'
import { assertPace } from '../pace.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { fullBucket, take } from '../token-bucket.ts'

export type SayHandler = (
  socket: ChatSocket,
  request: unknown,
  reply: (answer: Said | Error) => void,
  /** Where the message belongs in a trace, if it is traced. */
  trace?: string,
) => void

/**
 * `say {text, type?, data?, id?}`: appends a message to the room's log under the member's name. Answered when the log has it; the
 * same `id` again, for as long as it is known, gets the same answer. Throws `ClientError`.
 */
export function createSay(context: Context): SayHandler {
  const { config, outbox, facts, hooks, now, newMessageId } = context
  const schema = saySchema(config.textMaxBytes)
  const rate = { perSecond: config.sayRatePerSecond, burst: config.sayBurst }

  return function say(socket, request, reply, trace) {
    const session = sessionOf(socket)
    if (session.member === undefined && isExpectedToJoin(socket, now())) {
      wait(session, () => {
        try {
          say(socket, request, reply, trace)
        } catch (error) {
          reply(asError(error))
        }
      })
      return
    }
    const member = memberOf(socket)
    requireWrite(socket, member.room.id)
    const content = parseRequest(schema, request)
    const bucket = (session.sayBucket ??= fullBucket(rate, now()))
    assertPace(facts, 'says', take(bucket, rate, now()), 'too many messages in a short time')
    if (hooks.say === undefined) publish(member, content, reply, trace)
    else {
      hooks.say(
        member,
        content,
        (allowed) => {
          try {
            publish(member, allowed, reply, trace)
          } catch (error) {
            reply(asError(error))
          }
        },
        reply,
      )
    }
  }

  function publish(
    { room, name, session: { user } }: Member,
    { text, type, data, id }: Say,
    reply: (answer: Said | Error) => void,
    trace: string | undefined,
  ): void {
    const { rate: roomRate } = room
    const waitMs = roomRate?.take() ?? 0
    assertPace(facts, 'room_messages', waitMs, 'too many messages in this room in a short time')
    const messageId = id ?? newMessageId()
    const payload = encodeMessage({
      event: 'broadcast_say',
      room: room.id,
      data: {
        username: name,
        user,
        text,
        ...(type === undefined ? {} : { type }),
        ...(data === undefined ? {} : { data }),
      },
      id: messageId,
      ts: now(),
    })
    const key = id === undefined ? undefined : messageKey(user ?? name, id)
    try {
      outbox.add(room.id, { payload, key, trace }, (outcome) => {
        roomRate?.settle()
        reply(
          outcome instanceof ClientError
            ? outcome
            : { ok: true, id: messageId, offset: outcome.offset },
        )
      })
    } catch (error) {
      roomRate?.settle()
      throw error
    }
    facts.messageReceived()
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

/** A fresh socket that named a room: stock clients send what they had buffered before their `connect` listeners run `join`. */
function isExpectedToJoin(socket: ChatSocket, now: number): boolean {
  roomOf(socket)
  const { early, joining } = sessionOf(socket)
  const isFresh = now - socket.handshake.issued < EARLY_SAY_WAIT_MS
  return joining !== undefined || early !== undefined || isFresh
}

function wait(session: Session, call: () => void): void {
  session.early ??= {
    calls: [],
    timer: setTimeout(() => {
      // A join that is under way lets them go when it is through, or fails.
      if (session.joining === undefined) releaseEarlySays(session)
    }, EARLY_SAY_WAIT_MS),
  }
  if (session.early.calls.length >= EARLY_SAY_MAX) {
    throw new ClientError('busy', `at most ${EARLY_SAY_MAX} messages wait for a join`)
  }
  session.early.calls.push(call)
}

/** Lets the `say`s that waited go on: to the room when the socket is a member now, else to their refusal. */
export function releaseEarlySays(session: Session): void {
  const { early } = session
  if (early === undefined) return
  clearTimeout(early.timer)
  session.early = undefined
  for (const call of early.calls) call()
}

/** Forgets the `say`s of a connection that ended: nobody waits for them. */
export function dropEarlySays(session: Session): void {
  clearTimeout(session.early?.timer)
  session.early = undefined
}
