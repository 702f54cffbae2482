import { ClientError, encodeMessage, type RoomId } from '@roomcast/protocol'
import type { SessionRecord } from '@roomcast/roomlog'
import type { Context } from './context.ts'
import type { LocalRoom } from '../rooms.ts'

/** Whether joins and quits of this room are announced: they cost the square of its members. */
export function isAnnounced({ config, rooms }: Context, room: LocalRoom): boolean {
  return rooms.online(room) < config.noticeMaxMembers
}

/** Announces a join or a quit to the room, unless the room is too large for it. */
export function announce(
  context: Context,
  event: 'join' | 'broadcast_quit',
  room: LocalRoom,
  who: Pick<SessionRecord, 'name' | 'user'>,
): void {
  if (isAnnounced(context, room)) send(context, event, room.id, who)
}

/**
 * Puts a notice into the room's log. One that finds no place is left out: nobody waits for it, and messages come first. With the same
 * `key` it is there once. `done` is called with whether the log has it.
 */
export function send(
  { outbox, log, now }: Context,
  event: 'join' | 'broadcast_quit',
  room: RoomId,
  { name, user }: Pick<SessionRecord, 'name' | 'user'>,
  { key, done }: { readonly key?: string; readonly done?: (isLogged: boolean) => void } = {},
): void {
  const payload = encodeMessage({ event, room, data: { username: name, user }, ts: now() })
  try {
    outbox.add(room, { payload, key }, (outcome) => done?.(!(outcome instanceof ClientError)))
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    log.debug({ room, event, code: error.code }, 'notice was left out')
    done?.(false)
  }
}
