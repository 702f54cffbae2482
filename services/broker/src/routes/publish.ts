import { randomUUID } from 'node:crypto'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import {
  APPEND_REQUEST_MAX_BYTES,
  DATA_MAX_BYTES,
  encodeMessage,
  offsetOf,
  messageKey,
  publish,
  publishBatch,
  PUBLISH_BATCH_MAX,
  Published,
  PublishedBatch,
  RoomParams,
  type AppendBatch,
  type AppendMessage,
  type MessageContent,
  type RoomId,
} from '@roomcast/protocol'
import { traceparentIn } from '@roomcast/runtime'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { Appended, Appender } from '../appender.ts'
import { requireKey } from '../keys.ts'

/** Bytes of JSON for one byte of text or data at most: `\u0001`. */
const ESCAPED_MAX = 6
/** Bytes of JSON around text and data: the room's and the sender's names, the id, the fields' names. */
const ENVELOPE_MAX_BYTES = 8_192

const refusals = [
  'invalid',
  'unauthorized',
  'too_large',
  'unsupported_media_type',
  'busy',
  'unavailable',
] as const

/** `POST /v1/rooms/{room}/messages` and `POST /v1/messages`. They take one of `apiKeys`, unless there are none. */
export function publishRoutes({
  appender,
  apiKeys,
  textMaxBytes,
  now,
}: {
  readonly appender: Appender
  readonly apiKeys: readonly string[]
  readonly textMaxBytes: number
  readonly now: () => number
}): FastifyPluginCallbackZod {
  const contentMaxBytes = textMaxBytes + DATA_MAX_BYTES
  const oneMaxBytes = ESCAPED_MAX * contentMaxBytes + ENVELOPE_MAX_BYTES
  // Room for a batch in which half is escaped: one that is all escapes is to be sent in parts, for the sake of memory.
  const batchMaxBytes = Math.max(
    oneMaxBytes,
    Math.min(PUBLISH_BATCH_MAX * 2 * contentMaxBytes, APPEND_REQUEST_MAX_BYTES),
  )

  return (api, _options, done) => {
    api.post(
      '/v1/rooms/:room/messages',
      {
        schema: {
          operationId: 'publishMessage',
          summary: 'Publish a message to a room',
          description:
            'The answer comes when the room log has the message. The same `id` of the same `username` in the room is one message, so that a request without an answer can be sent again.',
          security: [{ key: [] }],
          params: RoomParams,
          body: publish(textMaxBytes),
          response: {
            201: Published.describe('The room log has the message'),
            ...problemResponses(...refusals),
          },
        },
        bodyLimit: oneMaxBytes,
        onRequest: requireKey(apiKeys),
      },
      async ({ params: { room }, body, headers }, reply) => {
        const { id, message } = toAppend(room, body, now(), traceparentIn(headers))
        const [result] = await appender.appendKeyed([{ room, messages: [message] }])
        return reply.code(201).send({ id, offset: answeredOffset(result, 0) })
      },
    )

    api.post(
      '/v1/messages',
      {
        schema: {
          operationId: 'publishMessages',
          summary: `Publish up to ${PUBLISH_BATCH_MAX} messages to any rooms`,
          description:
            'Nothing is published unless every message is valid. The messages of one room keep their order. After `unavailable` some may be published: send all of them again with the same ids.',
          security: [{ key: [] }],
          body: publishBatch(textMaxBytes),
          response: {
            201: PublishedBatch.describe(
              'The room logs have the messages, here in the order of the request',
            ),
            ...problemResponses(...refusals),
          },
        },
        bodyLimit: batchMaxBytes,
        onRequest: requireKey(apiKeys),
      },
      async ({ body, headers }, reply) => {
        const ts = now()
        const trace = traceparentIn(headers)
        const asked = body.messages.map(({ room, ...content }) => ({
          room,
          ...toAppend(room, content, ts, trace),
        }))
        // A request has fewer messages than a batch may have, so each room's are one batch, appended whole or not at all.
        const byRoom = [...Map.groupBy(asked, ({ room }) => room)]
        const results = await appender.appendKeyed(
          byRoom.map(([room, items]): AppendBatch => ({
            room,
            messages: items.map(({ message }) => message),
          })),
        )
        const offsets = new Map(
          byRoom.flatMap(([, items], batch) =>
            items.map((item, i) => [item, answeredOffset(results[batch], i)] as const),
          ),
        )
        const messages = asked.map((item) => ({
          room: item.room,
          id: item.id,
          offset: offsets.get(item) ?? '',
        }))
        return reply.code(201).send({ messages })
      },
    )
    done()
  }
}

/** A message without an id gets one, so that the broker's own second try cannot double it. */
function toAppend(
  room: RoomId,
  content: MessageContent & { readonly username: string },
  ts: number,
  trace: string | undefined,
): { readonly id: string; readonly message: AppendMessage } {
  const { username, text, type, data, id = randomUUID() } = content
  const payload = encodeMessage({
    event: 'broadcast_say',
    room,
    data: {
      username,
      text,
      ...(type === undefined ? {} : { type }),
      ...(data === undefined ? {} : { data }),
    },
    id,
    ts,
  })
  return { id, message: { payload, key: messageKey(username, id), trace } }
}

function answeredOffset(result: Appended | undefined, i: number): string {
  if (result?.seqs[i] === undefined) throw new Error('the log answered for other messages')
  return offsetOf(result, i)
}
