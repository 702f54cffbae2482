import type { ServerResponse } from 'node:http'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import {
  MessagesQuery,
  MessagesView,
  RoomParams,
  type Position,
  type RoomId,
} from '@roomcast/protocol'
import {
  assertKnown,
  EMPTY_HEAD,
  rangeOf,
  viewOf,
  type Page,
  type RoomLog,
} from '@roomcast/roomlog'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { Facts } from '../facts.ts'
import type { HeldRequests } from '../held-requests.ts'

/** `GET /v1/rooms/{room}/messages`: a page of the log, at once or as soon as there is something on it. Open, unless `READ_REQUIRES_KEY`: then for the scope `read`. */
export function messagesRoute({
  roomLog,
  access,
  held,
  facts,
}: {
  readonly roomLog: RoomLog
  readonly access: Access
  readonly held: HeldRequests
  readonly facts: Facts
}): FastifyPluginCallbackZod {
  const { security, onRequest, preHandler } = access.requireToRead('read')
  return (api, _options, done) => {
    api.get(
      '/v1/rooms/:room/messages',
      {
        schema: {
          operationId: 'listMessages',
          summary: 'Messages of a room, oldest first',
          description:
            'Those right after `after`, else those right before `before`, else the latest. With `wait` the answer comes as soon as there is a message after `after` (without it, after the present end), or when so many seconds have passed. A room in which nothing was ever said has no messages and the offset `0:0`. A key is needed where `READ_REQUIRES_KEY` is set.',
          security,
          params: RoomParams,
          querystring: MessagesQuery,
          response: {
            200: MessagesView.describe('A page'),
            ...problemResponses(
              'invalid',
              'unauthorized',
              'forbidden',
              'invalid_offset',
              'offset_gone',
              'busy',
              'unavailable',
            ),
          },
        },
        onRequest,
        preHandler,
      },
      async ({ params: { room }, query }, reply) => {
        const { after, before, limit, wait } = query
        const onUnreadable = (seq: number, error: unknown): void =>
          facts.messageUnreadable(room, seq, error)
        if (wait === 0) {
          const page = await roomLog.read(room, rangeOf(query))
          return viewOf(page, { after, before, limit }, onUnreadable)
        }
        const from = after ?? (await endOf(roomLog, room))
        const present = await readAfter(roomLog, room, from, limit)
        const page =
          present.entries.length > 0
            ? present
            : await whileHeld(held, reply.raw, wait * 1_000, (over) =>
                firstAfter(roomLog, room, from, limit, over),
              )
        return viewOf(page, { after: from, limit }, onUnreadable)
      },
    )
    done()
  }
}

async function endOf(roomLog: RoomLog, room: RoomId): Promise<Position> {
  const [{ epoch, seq } = EMPTY_HEAD] = await roomLog.heads([room])
  return { epoch, seq }
}

async function readAfter(
  roomLog: RoomLog,
  room: RoomId,
  from: Position,
  limit: number,
): Promise<Page> {
  const page = await roomLog.read(room, { after: from.seq, limit })
  assertKnown(page.head, from)
  return page
}

/** Runs with a signal that is aborted when the time is over, the client goes away, or the service ends. */
async function whileHeld<T>(
  held: HeldRequests,
  res: ServerResponse,
  waitMs: number,
  run: (over: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const end = (): void => over.abort()
  const release = held.hold('poll', end)
  const timer = setTimeout(end, waitMs)
  res.once('close', end)
  if (res.destroyed) end()
  try {
    return await run(over.signal)
  } finally {
    clearTimeout(timer)
    res.off('close', end)
    release()
  }
}

/** The first page after a position that has something on it, or what there is when `over` is aborted. */
async function firstAfter(
  roomLog: RoomLog,
  room: RoomId,
  from: Position,
  limit: number,
  over: AbortSignal,
): Promise<Page> {
  let woken = Promise.withResolvers<void>()
  const wake = (): void => woken.resolve()
  over.addEventListener('abort', wake)
  const following = await roomLog.follow(room, { onBatch: wake, onResumed: wake })
  try {
    for (;;) {
      // Read once the subscription is in force, and again after each sign: what comes during a read is a sign for the next.
      const page = await readAfter(roomLog, room, from, limit)
      if (page.entries.length > 0 || over.aborted) return page
      await woken.promise
      woken = Promise.withResolvers()
    }
  } finally {
    following.stop()
  }
}
