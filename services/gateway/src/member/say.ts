import {
  ClientError,
  EARLY_SAY_MAX,
  EARLY_SAY_WAIT_MS,
  encodeMessage,
  messageKey,
  say as saySchema,
  type Said,
} from '@roomcast/protocol'
import type { Context } from './context.ts'
import type { Session } from './member.ts'
import { memberOf, parseRequest, roomOf } from './request.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { fullBucket, take } from '../token-bucket.ts'

export type SayHandler = (
  socket: ChatSocket,
  request: unknown,
  reply: (answer: Said | Error) => void,
) => void

/**
 * `say {text, type?, data?, id?}`: appends a message to the room's log under the member's name. Answered when the log has it; the
 * same `id` again, for as long as it is known, gets the same answer. Throws `ClientError`.
 */
export function createSay(context: Context): SayHandler {
  const { config, outbox, facts, now, newMessageId } = context
  const schema = saySchema(config.textMaxBytes)
  const rate = { perSecond: config.sayRatePerSecond, burst: config.sayBurst }

  return function say(socket, request, reply) {
    const session = sessionOf(socket)
    if (session.member === undefined && isExpectedToJoin(socket, now())) {
      wait(session, () => {
        try {
          say(socket, request, reply)
        } catch (error) {
          reply(error instanceof Error ? error : new Error(String(error)))
        }
      })
      return
    }
    const { room, name } = memberOf(socket)
    const { text, type, data, id } = parseRequest(schema, request)
    const bucket = (session.sayBucket ??= fullBucket(rate, now()))
    const retryAfterMs = take(bucket, rate, now())
    if (retryAfterMs > 0) {
      facts.refused('says')
      throw new ClientError('rate_limited', 'too many messages in a short time', { retryAfterMs })
    }
    const { rate: roomRate } = room
    if (roomRate !== undefined) {
      const waitMs = roomRate.take()
      if (waitMs > 0) {
        facts.refused('room_messages')
        throw new ClientError('rate_limited', 'too many messages in this room in a short time', {
          retryAfterMs: waitMs,
        })
      }
    }
    const messageId = id ?? newMessageId()
    const payload = encodeMessage({
      event: 'broadcast_say',
      room: room.id,
      data: {
        username: name,
        text,
        ...(type === undefined ? {} : { type }),
        ...(data === undefined ? {} : { data }),
      },
      id: messageId,
      ts: now(),
    })
    try {
      outbox.add(
        room.id,
        { payload, key: id === undefined ? undefined : messageKey(name, id) },
        (outcome) => {
          roomRate?.settle()
          reply(
            outcome instanceof ClientError
              ? outcome
              : { ok: true, id: messageId, offset: outcome.offset },
          )
        },
      )
    } catch (error) {
      roomRate?.settle()
      throw error
    }
    facts.messageReceived()
  }
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
