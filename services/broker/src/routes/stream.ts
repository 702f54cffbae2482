import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { formatOffset, Offset, RoomParams, type Position, type RoomId } from '@roomcast/protocol'
import {
  EMPTY_HEAD,
  isCompleteAfter,
  locate,
  LogUnavailable,
  RoomFeed,
  runsOf,
  type RoomLog,
  type Run,
} from '@roomcast/roomlog'
import type { Log } from '@roomcast/runtime'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import { encodeEvent, EventStream } from '../event-stream.ts'
import type { Facts } from '../facts.ts'
import type { HeldRequests } from '../held-requests.ts'
import { createLiveStreams } from '../live-streams.ts'

/** Messages that are read at a time for a client that comes back: what is in memory of what it missed. */
const REPLAY_PAGE = 50
/** Waits before a stream is tried again that the log did not let begin, in milliseconds: its subscriptions may be back later than it. */
const OPEN_RETRY_WAITS_MS = [50, 200, 500, 1_000] as const

const StreamQuery = z.object({ after: Offset.optional() })
/** Clients without an offset yet send an empty header, or none. */
const StreamHeaders = z.object({
  'last-event-id': z.preprocess((raw) => (raw === '' ? undefined : raw), Offset.optional()),
})

/**
 * `GET /v1/rooms/{room}/stream`: the room's messages as server-sent events, each once and in order, from an offset or from the end on.
 * Open, unless `READ_REQUIRES_KEY`: then for the scope `read`.
 */
export function streamRoute({
  roomLog,
  access,
  held,
  facts,
  log,
  streamBufferBytes,
  streamHeartbeatMs,
}: {
  readonly roomLog: RoomLog
  readonly access: Access
  readonly held: HeldRequests
  readonly facts: Facts
  readonly log: Log
  readonly streamBufferBytes: number
  readonly streamHeartbeatMs: number
}): FastifyPluginCallbackZod {
  const { security, onRequest, preHandler } = access.requireToRead('read')
  return (api, _options, done) => {
    const live = createLiveStreams({ roomLog, heartbeatMs: streamHeartbeatMs })
    api.addHook('onClose', (_api, closed) => {
      live.close()
      closed()
    })

    /** Gives what is after the position, and then what comes. Resolves when the stream is live, or over. */
    const run = async (stream: EventStream, room: RoomId, from: Position): Promise<void> => {
      let cursor = from
      const give = (run: Run): void => {
        stream.send(eventsOf(run))
        cursor = { epoch: run.epoch, seq: run.entries.at(-1)?.seq ?? cursor.seq }
      }
      const lose = (): void => stream.send(LOST)
      for (const wait of [...OPEN_RETRY_WAITS_MS, undefined]) {
        try {
          await replay(roomLog, room, cursor, stream, { give, lose })
          if (stream.over.aborted) return
          live.add(
            stream,
            room,
            await RoomFeed.open(roomLog, room, { onRun: give, onLost: lose }, cursor),
          )
          return
        } catch (error) {
          if (!(error instanceof LogUnavailable) || wait === undefined) throw error
          await delay(wait)
        }
      }
    }

    api.get(
      '/v1/rooms/:room/stream',
      {
        schema: {
          operationId: 'streamMessages',
          summary: 'Messages of a room as server-sent events',
          description:
            'Events: `message` with a logged message as JSON, its offset as the event id; `reset` `{reason}` when the offset that was asked for is gone (`foreign`: the log does not know it, `cut`: the log lost its end before it), after which the stream goes on from the present end; `lost` when messages that belong here are no longer in the log. Begins at `Last-Event-ID`, else `after`, else the end. Ends when the client does not keep up: it then comes back by itself. A key is needed where `READ_REQUIRES_KEY` is set.',
          security,
          params: RoomParams,
          querystring: StreamQuery,
          headers: StreamHeaders,
          response: {
            200: {
              description: 'The stream',
              content: { 'text/event-stream': { schema: z.string() } },
            },
            ...problemResponses(
              'invalid',
              'unauthorized',
              'forbidden',
              'invalid_offset',
              'busy',
              'unavailable',
            ),
          },
        },
        onRequest,
        preHandler,
      },
      async ({ params: { room }, query, headers }, reply) => {
        const asked = headers['last-event-id'] ?? query.after
        const [head = EMPTY_HEAD] = await roomLog.heads([room])
        const place = asked === undefined ? undefined : locate(head, asked)
        const isKnown = place?.kind === 'known'
        const from: Position =
          isKnown && asked !== undefined ? asked : { epoch: head.epoch, seq: head.seq }

        const stream = new EventStream(reply.raw, {
          bufferBytes: streamBufferBytes,
          onTooSlow: () => facts.streamTooSlow(room),
        })
        const release = held.hold('stream', () => stream.end('the server ends'))
        stream.over.addEventListener('abort', release)
        if (stream.over.aborted) release()
        reply.hijack()
        stream.open(formatOffset(from))
        if (place !== undefined && !isKnown) {
          stream.send(encodeEvent({ event: 'reset', data: JSON.stringify({ reason: place.kind }) }))
        }
        try {
          await run(stream, room, from)
        } catch (error) {
          // The client comes back with its offset, when the log may be back.
          log.debug({ room, err: error }, 'ended an event stream that could not be opened')
          stream.end('unavailable')
        }
      },
    )
    done()
  }
}

const LOST = encodeEvent({ event: 'lost', data: '{}' })

function eventsOf({ epoch, entries }: Run): string {
  let text = ''
  for (const { seq, payload } of entries)
    text += messageEvent(formatOffset({ epoch, seq }), payload)
  return text
}

/** The payload is one object of JSON as `encodeMessage` wrote it: its offset goes in before the brace that ends it. */
function messageEvent(offset: string, payload: string): string {
  return encodeEvent({
    id: offset,
    event: 'message',
    data: `${payload.slice(0, -1)},"offset":"${offset}"}`,
  })
}

/** Gives a client page by page what it missed, as fast as it reads. */
async function replay(
  roomLog: RoomLog,
  room: RoomId,
  from: Position,
  stream: EventStream,
  { give, lose }: { readonly give: (run: Run) => void; readonly lose: () => void },
): Promise<void> {
  for (let cursor = from; !stream.over.aborted;) {
    const { head, entries } = await roomLog.read(room, { after: cursor.seq, limit: REPLAY_PAGE })
    // What has no place in the log, or nothing after it, is the live feed's to judge.
    if (entries.length === 0 || locate(head, cursor).kind !== 'known') return
    if (!isCompleteAfter(head, cursor.seq)) lose()
    for (const run of runsOf(head, entries)) {
      give(run)
      cursor = { epoch: run.epoch, seq: run.entries.at(-1)?.seq ?? cursor.seq }
    }
    await stream.drained()
    if (entries.length < REPLAY_PAGE) return
  }
}
