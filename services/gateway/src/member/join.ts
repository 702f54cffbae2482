import { ClientError, formatOffset, Join, type Joined, type RoomId } from '@roomcast/protocol'
import { LogUnavailable, type SessionRecord } from '@roomcast/roomlog'
import { BURST_SECONDS } from '../address-rate.ts'
import { addressOf, FULL_RETRY_MS } from '../connection-limits.ts'
import { gatherWrites, pidOf } from '../engine/connection.ts'
import { NEW_RECEIVER } from '../fanout.ts'
import type { LocalRoom } from '../rooms.ts'
import { announce } from './notices.ts'
import type { Context } from './context.ts'
import type { Member } from './member.ts'
import { parseRequest, roomOf } from './request.ts'
import { releaseEarlySays } from './say.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { fullBucket, take } from '../token-bucket.ts'
import { userOf } from '../user-connections.ts'

/**
 * `join {username}`: makes the socket a member of the room it named. The same again is answered the same; under another name it is
 * `already_joined`. Everything after the answer's offset will arrive.
 */
export async function join(
  context: Context,
  socket: ChatSocket,
  request: unknown,
): Promise<Joined> {
  const room = roomOf(socket)
  const { username } = parseRequest(Join, request)
  const session = sessionOf(socket)
  const present = session.member?.name ?? session.joining?.name
  if (present !== undefined && present !== username) {
    throw new ClientError('already_joined', 'this connection has already joined as another name')
  }
  if (session.joining !== undefined) await session.joining.done
  if (session.member === undefined) {
    limitJoins(context, socket)
    const done = enter(context, socket, room, username)
    session.joining = { name: username, done }
    try {
      await done
    } finally {
      session.joining = undefined
      releaseEarlySays(session)
    }
  }
  const { member } = session
  if (member === undefined) throw new ClientError('unavailable', 'the connection ended')
  return joined(context, member)
}

async function enter(
  context: Context,
  socket: ChatSocket,
  id: RoomId,
  name: string,
): Promise<void> {
  const { rooms, roomLog, instance, now } = context
  const session: SessionRecord = {
    pid: pidOf(socket),
    sid: socket.id,
    namespace: socket.nsp.name,
    room: id,
    name,
    since: now(),
    owner: instance,
    generation: 1,
  }
  // Before the client learns of its membership: from then on it may be recovered on any gateway.
  await unavailableFor(roomLog.sessions.save([session]))
  let isMember = false
  try {
    await rooms.enter(id, (room, admit) => {
      if (!socket.connected) return
      limitConnections(context, socket, session)
      // The message, the answer, and what the room is told in this turn.
      gatherWrites(socket)
      admitMember(context, socket, room, session, admit)
      isMember = true
      const online = rooms.online(room)
      const offset = formatOffset(room.feed.cursor)
      const data = { username: name, online }
      socket.emit('message', { event: 'joined', room: id, data }, offset)
      announce(context, 'join', room, name)
    })
  } finally {
    // Nobody came by it, so nobody is to be announced as gone. With the log away it ends by itself.
    if (!isMember) roomLog.sessions.drop(session.pid, session.generation).catch(() => undefined)
  }
}

/** Makes a connected socket a member, in the same turn in which the feed's cursor was looked at. */
export function admitMember(
  { reporter, users }: Context,
  socket: ChatSocket,
  room: LocalRoom,
  session: SessionRecord,
  admit: (member: Member) => void,
): void {
  const { name, since, generation } = session
  const member: Member = { socket, room, name, since, session, ...NEW_RECEIVER }
  sessionOf(socket).member = member
  socket.data.username = name
  // For cluster operations such as `io.in(room).fetchSockets()`; messages do not go this way.
  void socket.join(room.id)
  users.add(socket.conn, userOf(session))
  reporter.joined({ sid: socket.id, room: room.id, name, since, generation })
  admit(member)
}

/** Each join is written to the log and told to the room. Throws `ClientError` `rate_limited`. */
function limitJoins({ config, joinsByAddress, facts, now }: Context, socket: ChatSocket): void {
  const session = sessionOf(socket)
  const { joinRatePerSecond } = config.limits
  const rate = { perSecond: joinRatePerSecond, burst: BURST_SECONDS * joinRatePerSecond }
  const bucket = (session.joinBucket ??= fullBucket(rate, now()))
  const retryAfterMs = take(bucket, rate, now())
  if (retryAfterMs > 0) {
    facts.refused('joins')
    throw new ClientError('rate_limited', 'too many joins in a short time', { retryAfterMs })
  }
  const addressMs = joinsByAddress?.take(addressOf(socket.conn) ?? '') ?? 0
  if (addressMs > 0) {
    facts.refused('address_joins')
    throw new ClientError('rate_limited', 'too many joins from this address in a short time', {
      retryAfterMs: addressMs,
    })
  }
}

/** Throws `ClientError` `too_many`. */
function limitConnections(
  { users, facts }: Context,
  socket: ChatSocket,
  session: SessionRecord,
): void {
  if (!users.isFull(socket.conn, userOf(session))) return
  facts.refused('user_connections')
  throw new ClientError('too_many', 'this user has as many connections as he may', {
    retryAfterMs: FULL_RETRY_MS,
  })
}

async function unavailableFor<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    if (!(error instanceof LogUnavailable)) throw error
    throw new ClientError('unavailable', 'the room can not be opened right now', { cause: error })
  }
}

function joined({ rooms }: Context, { room, name }: Member): Joined {
  return {
    ok: true,
    room: room.id,
    username: name,
    online: rooms.online(room),
    offset: formatOffset(room.feed.cursor),
  }
}
