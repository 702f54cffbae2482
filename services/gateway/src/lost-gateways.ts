import { ANNOUNCE_INTERVAL_MS, type RoomId } from '@roomcast/protocol'
import { OWNER_SILENT_MS, type FoundSession, type SeenOwner } from '@roomcast/roomlog'
import type { Context } from './member/context.ts'
import { announceQuit } from './member/leave.ts'

/** How long after the last look one still knows who was missing, in milliseconds: another gateway may have been asked meanwhile. */
const WATCH_MS = 3 * ANNOUNCE_INTERVAL_MS
/** Rooms whose quits are announced at a time. */
const ROOMS_AT_ONCE = 16

/** Since when which owners of sessions have been missing, as of the last look. */
export interface Watch {
  readonly lookedAtMs: number
  readonly missingSinceMs: ReadonlyMap<string, number>
}

export const NOTHING_WATCHED: Watch = { lookedAtMs: -Infinity, missingSinceMs: new Map() }

/**
 * Looks at who owns sessions and who lives, and returns who is `lost`: presence has not heard it for the grace, and the store has not
 * either for a while. A gateway that presence alone can not hear goes on serving its members, so its word in the store counts. `now` is in
 * milliseconds and never goes back.
 */
export function look(
  { lookedAtMs, missingSinceMs }: Watch,
  {
    owners,
    living,
    graceMs,
  }: {
    readonly owners: readonly SeenOwner[]
    readonly living: ReadonlySet<string>
    readonly graceMs: number
  },
  now: number,
): { readonly watch: Watch; readonly lost: readonly string[] } {
  const before = now - lookedAtMs > WATCH_MS ? NOTHING_WATCHED.missingSinceMs : missingSinceMs
  const missing = owners.filter(({ owner }) => !living.has(owner))
  const since = new Map(missing.map(({ owner }) => [owner, before.get(owner) ?? now]))
  const lost = missing
    .filter(({ owner, silentMs }) => {
      const isOver = now - (since.get(owner) ?? now) >= graceMs
      return isOver && silentMs >= OWNER_SILENT_MS
    })
    .map(({ owner }) => owner)
  return { watch: { lookedAtMs: now, missingSinceMs: since }, lost }
}

/**
 * Announces the quits of members whose gateway is gone and who are not back, when presence's leader asks for it. It goes by the session
 * records, so it does not matter who saw them there. What fails, or is cut by the end of this process, is found again at the next request,
 * here or on another gateway; two of them at work do no harm, since one alone marks a session, and the log takes a notice once.
 */
export function createLostGateways(
  context: Context,
  clock: () => number,
): { announce(living: readonly string[]): Promise<void> } {
  const { config, rooms, presence, roomLog, instance, log } = context
  let watch = NOTHING_WATCHED
  let isBusy = false

  /** Members in the whole cluster. Rejects when that can not be known: then it is left to the next look. */
  const onlineOf = async (id: RoomId): Promise<number> => {
    const room = rooms.get(id)
    return room === undefined ? (await presence.members(id)).online : rooms.online(room)
  }

  const announceRoom = async (room: RoomId, away: readonly FoundSession[]): Promise<void> => {
    // As if they left one after another: it is a large room if it was one with all of them.
    const isAnnounced = (await onlineOf(room)) + away.length < config.noticeMaxMembers
    await Promise.all(
      away.map((session) => {
        return announceQuit(context, { room, isAnnounced, isMarked: session.hasQuit, session })
      }),
    )
  }

  const announceOwner = async (owner: string): Promise<void> => {
    const away = await roomLog.sessions.ownedBy(owner)
    if (away.length === 0) return
    log.info({ gateway: owner, members: away.length }, 'announces the members of a lost gateway')
    const byRoom = [...Map.groupBy(away, ({ room }) => room)]
    for (let i = 0; i < byRoom.length; i += ROOMS_AT_ONCE) {
      await Promise.all(
        byRoom.slice(i, i + ROOMS_AT_ONCE).map(([room, sessions]) => announceRoom(room, sessions)),
      )
    }
  }

  return {
    async announce(living) {
      if (isBusy) return
      isBusy = true
      try {
        const owners = await roomLog.sessions.owners()
        const seen = { owners, living: new Set([...living, instance]), graceMs: config.quitGraceMs }
        const looked = look(watch, seen, clock())
        watch = looked.watch
        for (const owner of looked.lost) await announceOwner(owner)
      } catch (error) {
        log.debug({ err: error }, 'members of lost gateways were not announced; the next look does')
      } finally {
        isBusy = false
      }
    },
  }
}
