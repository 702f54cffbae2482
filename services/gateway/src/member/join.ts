import { ClientError, formatOffset, Join, type Joined, type RoomId } from '@roomcast/protocol'
import { announce } from './notices.ts'
import type { Context } from './context.ts'
import type { Member } from './member.ts'
import { parseRequest, roomOf } from './request.ts'
import { releaseEarlySays } from './say.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'

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
  const present = session.member?.name ?? session.joining
  if (present !== undefined && present !== username) {
    throw new ClientError('already_joined', `this connection has already joined as another name`)
  }
  if (session.member !== undefined) return joined(context, session.member)
  if (session.joining !== undefined) {
    throw new ClientError('busy', 'a join of this connection is under way', { retryAfterMs: 100 })
  }
  session.joining = username
  try {
    const member = await enter(context, socket, room, username)
    if (member === undefined) throw new ClientError('unavailable', 'the connection ended')
    releaseEarlySays(session)
    return joined(context, member)
  } finally {
    session.joining = undefined
  }
}

async function enter(
  context: Context,
  socket: ChatSocket,
  id: RoomId,
  name: string,
): Promise<Member | undefined> {
  const { rooms, reporter, now } = context
  return rooms.enter(id, (room) => {
    if (!socket.connected) return undefined
    const member: Member = { socket, room, name, since: now() }
    sessionOf(socket).member = member
    socket.data.username = name
    // For cluster operations such as `io.in(room).fetchSockets()`; messages do not go this way.
    void socket.join(id)
    reporter.joined({ sid: socket.id, room: id, name, since: member.since, generation: 1 })
    const online = rooms.online(room) + 1
    const offset = formatOffset(room.feed.cursor)
    socket.emit('message', { event: 'joined', room: id, data: { username: name, online } }, offset)
    announce(context, 'join', room, name)
    return member
  })
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
