import { Members, type MemberList } from '@roomcast/protocol'
import type { Context } from './context.ts'
import { memberOf, parseRequest } from './request.ts'
import { assertPace } from '../pace.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { fullBucket, take } from '../token-bucket.ts'

/** Lists that one socket may get: each costs presence a walk through the room. */
const MEMBERS_RATE = { perSecond: 1, burst: 5 }

/**
 * `members {limit?}`: who is in the room, each user once with its connections; of a room with more users than `limit` the numbers alone.
 * Throws `ClientError`: `unavailable` while presence is away.
 */
export async function members(
  { presence, facts, now }: Context,
  socket: ChatSocket,
  request: unknown,
): Promise<MemberList> {
  const { room } = memberOf(socket)
  const { limit } = parseRequest(Members, request ?? {})
  const bucket = (sessionOf(socket).membersBucket ??= fullBucket(MEMBERS_RATE, now()))
  assertPace(
    facts,
    'members',
    take(bucket, MEMBERS_RATE, now()),
    'too many members requests in a short time',
  )
  const { members: listed, ...counts } = await presence.members(room.id)
  const isListed = listed !== undefined && listed.length <= limit
  return { ok: true, ...counts, ...(isListed ? { members: listed } : {}) }
}
