import { ClientError, Refresh, type Refreshed } from '@roomcast/protocol'
import { fullBucket, take } from '../token-bucket.ts'
import { sessionOf, tellRefusal, type ChatSocket } from '../sockets.ts'
import type { Context } from './context.ts'
import { depart } from './leave.ts'
import { parseRequest } from './request.ts'
import { isReadOnly } from './rights.ts'

/** Tokens of one socket a second: checking one costs about as much as a hundred messages. */
const REFRESH_PER_SECOND = 1

/**
 * `refresh {token}`: goes on with a new token of the same user, and with what it allows. A member whose room it is not for any more leaves
 * it, and is told so. In open mode the token is not looked at. Throws `ClientError`; the old token counts then as before.
 */
export async function refresh(
  context: Context,
  socket: ChatSocket,
  request: unknown,
): Promise<Refreshed> {
  const { auth, config, now } = context
  const { token } = parseRequest(Refresh, request)
  if (auth === undefined) return { ok: true }
  const session = sessionOf(socket)
  const rate = { perSecond: REFRESH_PER_SECOND, burst: config.auth?.refreshBurst ?? 1 }
  const bucket = (session.refreshBucket ??= fullBucket(rate, now()))
  const retryAfterMs = take(bucket, rate, now())
  if (retryAfterMs > 0) {
    throw new ClientError('rate_limited', 'too many tokens in a short time', { retryAfterMs })
  }
  const { expiresAt, mayRead } = await auth.refresh(socket, token)
  // A join that began with the old token ends first; how it went is its own answer.
  await session.joining?.done.catch(() => undefined)
  const { member, destination } = session
  if (member !== undefined && !mayRead(member.room.id)) {
    depart(context, member, 'meant')
    tellRefusal(socket, {
      ok: false,
      code: 'forbidden',
      message: 'the new token is not for this room',
    })
  }
  const isSilent = destination.kind === 'room' && isReadOnly(socket, destination.room)
  return {
    ok: true,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(isSilent ? { readOnly: true } : {}),
  }
}
