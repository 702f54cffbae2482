import type { Left } from '@roomcast/protocol'
import type { Context, Quit } from './context.ts'
import type { Member } from './member.ts'
import { isAnnounced, send } from './notices.ts'
import { memberOf } from './request.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'

/** `leave`: ends the membership, announced at once. The connection stays and may join again. */
export function leave(context: Context, socket: ChatSocket): Left {
  depart(context, memberOf(socket), 'meant')
  return { ok: true }
}

/**
 * Takes a member out of its room. A departure that was meant is announced at once, a connection that broke after the grace:
 * most of those come back.
 */
export function depart(context: Context, member: Member, how: 'meant' | 'broken'): void {
  const { rooms, reporter, quits, outbox } = context
  const { socket, room, name } = member
  sessionOf(socket).member = undefined
  delete socket.data.username
  void socket.leave(room.id)
  reporter.left(socket.id)
  const quit = { room: room.id, name, isAnnounced: isAnnounced(context, room) }
  rooms.leave(member)
  if (how === 'meant') announceQuit(context, quit)
  else quits.add(quit)
  if (rooms.get(room.id) === undefined) outbox.forget(room.id)
}

/** Announces a quit, in a room that may have no members here any more. */
export function announceQuit(context: Context, { room, name, isAnnounced }: Quit): void {
  if (!isAnnounced) return
  send(context, 'broadcast_quit', room, name)
  if (context.rooms.get(room) === undefined) context.outbox.forget(room)
}
