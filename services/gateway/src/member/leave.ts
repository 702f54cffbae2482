import { messageKey, type Left } from '@roomcast/protocol'
import type { SessionRecord } from '@roomcast/roomlog'
import type { Context, Quit } from './context.ts'
import type { Member } from './member.ts'
import { isAnnounced, send } from './notices.ts'
import { memberOf } from './request.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { userOf } from '../user-connections.ts'

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
  const { rooms, reporter, quits, outbox, users } = context
  const { socket, room, name, session } = member
  sessionOf(socket).member = undefined
  delete socket.data.username
  void socket.leave(room.id)
  reporter.left(socket.id)
  users.remove(socket.conn, userOf(session))
  const quit = { room: room.id, name, isAnnounced: isAnnounced(context, room), session }
  rooms.leave(member)
  if (how === 'meant') void announceQuit(context, quit, 'drop')
  else quits.add(quit)
  if (rooms.get(room.id) === undefined) outbox.forget(room.id)
}

/**
 * Ends a session, and announces the quit unless the session has moved on (its member is back, here or on another gateway) or somebody
 * else announced it: the room may have no members here any more. `drop` forgets the session, `quit` lets its member still come back.
 * A process may end between the mark and the notice; the session is then found unsettled, and the notice is sent again under its key.
 */
export async function announceQuit(
  context: Context,
  { room, name, isAnnounced, isMarked = false, session }: Quit,
  how: 'drop' | 'quit' = 'quit',
): Promise<void> {
  const { roomLog, outbox, rooms, log } = context
  const { pid, generation, owner } = session
  try {
    if (!isMarked && !(await roomLog.sessions[how](pid, generation))) return
    if (isAnnounced) {
      const isLogged = new Promise<boolean>((done) => {
        send(context, 'broadcast_quit', room, name, { key: quitKey(session), done })
      })
      if (rooms.get(room) === undefined) outbox.forget(room)
      if (!(await isLogged)) return
    }
    if (how === 'quit') await roomLog.sessions.settle(owner, [pid])
  } catch (error) {
    // With the log away the notice would not get there either.
    log.debug({ err: error, room }, 'quit was left out')
  }
}

/** One for each time that a session ends. No client's own key begins like it: those begin with a name. */
function quitKey({ sid, since, generation }: SessionRecord): string {
  return messageKey('', `quit ${sid} ${since} ${generation}`)
}
