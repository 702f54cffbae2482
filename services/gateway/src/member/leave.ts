import type { Left } from '@roomcast/protocol'
import type { Context, Quit } from './context.ts'
import type { Member } from './member.ts'
import { isAnnounced, send } from './notices.ts'
import { memberOf } from './request.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'

/** `leave`: ends the membership, announced at once. The connection stays and may join again. */
export async function leave(context: Context, socket: ChatSocket): Promise<Left> {
  // What was asked first happens first; how it went is its own answer.
  await sessionOf(socket).joining?.done.catch(() => undefined)
  depart(context, memberOf(socket), 'meant')
  return { ok: true }
}

/**
 * Takes a member out of its room. A departure that was meant is announced at once, a connection that broke after the grace:
 * most of those come back.
 */
export function depart(context: Context, member: Member, how: 'meant' | 'broken'): void {
  const { rooms, reporter, quits, outbox } = context
  const { socket, room, name, session } = member
  sessionOf(socket).member = undefined
  delete socket.data.username
  void socket.leave(room.id)
  reporter.left(socket.id)
  const quit = { room: room.id, name, isAnnounced: isAnnounced(context, room), session }
  rooms.leave(member)
  if (how === 'meant') void announceQuit(context, quit, 'drop')
  else quits.add(quit)
  if (rooms.get(room.id) === undefined) outbox.forget(room.id)
}

/**
 * Ends a session, and announces the quit unless the session has moved on (its member is back, here or on another gateway) or somebody
 * else announced it: the room may have no members here any more. `drop` forgets the session, `quit` lets its member still come back.
 */
export async function announceQuit(
  context: Context,
  { room, name, isAnnounced, session: { pid, generation } }: Quit,
  how: 'drop' | 'quit' = 'quit',
): Promise<void> {
  const { roomLog, outbox, rooms, log } = context
  let isOurs: boolean
  try {
    isOurs = await roomLog.sessions[how](pid, generation)
  } catch (error) {
    // With the log away the notice would not get there either.
    log.debug({ err: error, room }, 'quit was left out')
    return
  }
  if (!isOurs || !isAnnounced) return
  send(context, 'broadcast_quit', room, name)
  if (rooms.get(room) === undefined) outbox.forget(room)
}
