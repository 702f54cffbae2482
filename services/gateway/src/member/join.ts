import { ClientError, formatOffset, type Joined, type RoomId } from '@roomcast/protocol'
import { LogUnavailable, userOfSession, type SessionRecord } from '@roomcast/roomlog'
import { addressOf, FULL_RETRY_MS } from '../connection-limits.ts'
import { gatherWrites, pidOf } from '../engine/connection.ts'
import { NEW_RECEIVER } from '../fanout.ts'
import { identityOf } from '../identity.ts'
import type { LocalRoom } from '../rooms.ts'
import { announce } from './notices.ts'
import type { Context } from './context.ts'
import type { Member } from './member.ts'
import { refusalOfBan, refusalOfRemoval } from './remove.ts'
import { roomOf } from './request.ts'
import { isReadOnly, nameFor, requireRead } from './rights.ts'
import { releaseEarlySays } from './say.ts'
import { assertPace } from '../pace.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { fullBucket, rateOf, take } from '../token-bucket.ts'

/**
 * `join {username}`: makes the socket a member of the room it named, under its token's name if that has one. The same again is answered
 * the same; under another name it is `already_joined`. Everything after the answer's offset will arrive.
 */
export async function join(
  context: Context,
  socket: ChatSocket,
  request: unknown,
): Promise<Joined> {
  const room = roomOf(socket)
  const username = nameFor(socket, request)
  requireRead(socket, room)
  const session = sessionOf(socket)
  const present =
    session.joining?.name ?? (session.member && (session.askedName ?? session.member.name))
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
  asked: string,
): Promise<void> {
  const { rooms, roomLog, instance, hooks, now } = context
  const user = identityOf(socket)?.user
  const name = hooks.join === undefined ? asked : await hooks.join(socket, id, asked)
  sessionOf(socket).askedName = name === asked ? undefined : asked
  const session: SessionRecord = {
    pid: pidOf(socket),
    sid: socket.id,
    namespace: socket.nsp.name,
    room: id,
    name,
    ...(user === undefined ? {} : { user }),
    since: now(),
    owner: instance,
    generation: 1,
  }
  let isMember = false
  try {
    await rooms.enter(id, async (room, admit) => {
      const turn = room.removals.turn()
      // The session before the client learns of its membership: from then on it may be recovered on any gateway. A ban that comes after
      // this look at it is told by the room's feed.
      const [ban] = await unavailableFor(
        Promise.all([
          roomLog.moderation.banOf(id, userOfSession(session)),
          roomLog.sessions.save([session]),
        ]),
      )
      if (ban !== undefined) throw refusalOfBan(ban)
      const removal = room.removals.since(turn, userOfSession(session))
      if (removal !== undefined) throw refusalOfRemoval(removal)
      if (!socket.connected) return
      limitConnectionsOfUser(context, socket, session)
      // The message, the answer, and what the room is told in this turn.
      gatherWrites(socket)
      admitMember(context, socket, room, session, admit)
      isMember = true
      const online = rooms.online(room)
      const offset = formatOffset(room.feed.cursor)
      const data = { username: name, online, ...selfOf(socket, id) }
      socket.emit('message', { event: 'joined', room: id, data }, offset)
      announce(context, 'join', room, session)
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
  const { name, user, since, generation } = session
  const member: Member = { socket, room, name, since, session, ...NEW_RECEIVER }
  sessionOf(socket).member = member
  socket.data.username = name
  // For cluster operations such as `io.in(room).fetchSockets()`; messages do not go this way.
  void socket.join(room.id)
  users.add(socket.conn, userOfSession(session))
  reporter.joined({ sid: socket.id, room: room.id, name, user, since, generation })
  admit(member)
}

/** Each join is written to the log and told to the room. Throws `ClientError` `rate_limited`. */
function limitJoins({ config, joinsByAddress, facts, now }: Context, socket: ChatSocket): void {
  const session = sessionOf(socket)
  const { joinRatePerSecond } = config.limits
  const rate = rateOf(joinRatePerSecond)
  const bucket = (session.joinBucket ??= fullBucket(rate, now()))
  assertPace(facts, 'joins', take(bucket, rate, now()), 'too many joins in a short time')
  const addressMs = joinsByAddress?.take(addressOf(socket.conn) ?? '') ?? 0
  const message = 'too many joins from this address in a short time'
  assertPace(facts, 'address_joins', addressMs, message)
}

/** Throws `ClientError` `too_many`. */
function limitConnectionsOfUser(
  { users, facts }: Context,
  socket: ChatSocket,
  session: SessionRecord,
): void {
  if (!users.isFull(socket.conn, userOfSession(session))) return
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

/** What a member is told of itself where tokens are required. */
function selfOf(socket: ChatSocket, room: RoomId): { user?: string; readOnly?: true } {
  const identity = identityOf(socket)
  if (identity === undefined) return {}
  return { user: identity.user, ...(isReadOnly(socket, room) ? { readOnly: true } : {}) }
}

function joined({ rooms }: Context, { socket, room, name }: Member): Joined {
  return {
    ok: true,
    room: room.id,
    username: name,
    online: rooms.online(room),
    ...selfOf(socket, room.id),
    offset: formatOffset(room.feed.cursor),
  }
}
