import { ClientError, History, type HistoryPage, type RoomId } from '@roomcast/protocol'
import {
  LogUnavailable,
  rangeOf,
  viewOf,
  type Page,
  type ReadRange,
  type RoomLog,
} from '@roomcast/roomlog'
import type { Context } from './context.ts'
import { memberOf, parseRequest } from './request.ts'
import { assertPace } from '../pace.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { fullBucket, take } from '../token-bucket.ts'

/** Pages that one socket may read: each costs the log a request. */
const HISTORY_RATE = { perSecond: 5, burst: 20 }

/**
 * `history {before?, after?, limit?}`: a page of the room's log, oldest message first. Throws `ClientError`: `offset_gone` when the log
 * does not know the offset any more.
 */
export async function history(
  { roomLog, facts, log, now }: Context,
  socket: ChatSocket,
  request: unknown,
): Promise<HistoryPage> {
  const { room } = memberOf(socket)
  const { before, after, limit } = parseRequest(History, request ?? {})
  const bucket = (sessionOf(socket).historyBucket ??= fullBucket(HISTORY_RATE, now()))
  assertPace(
    facts,
    'history',
    take(bucket, HISTORY_RATE, now()),
    'too many history requests in a short time',
  )
  const asked = { before, after, limit }
  const page = await read(roomLog, room.id, rangeOf(asked))
  const view = viewOf(page, asked, (seq, error) =>
    log.error({ err: error, room: room.id, seq }, 'message in the log can not be read'),
  )
  return { ok: true, ...view }
}

async function read(roomLog: RoomLog, room: RoomId, range: ReadRange): Promise<Page> {
  try {
    return await roomLog.read(room, range)
  } catch (error) {
    if (!(error instanceof LogUnavailable)) throw error
    throw new ClientError('unavailable', 'the room log can not be reached right now', {
      cause: error,
    })
  }
}
