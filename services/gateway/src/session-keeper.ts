import { OWNER_BEAT_MS, type Sessions } from '@roomcast/roomlog'
import type { Context } from './member/context.ts'
import type { RoomFanout } from './fanout.ts'
import type { Member } from './member/member.ts'

/** A session is saved three times in each window, so that one save that fails costs nothing. */
const SAVES_PER_WINDOW = 3
/** Sessions that are saved at a time. */
const SAVE_CHUNK = 200

/**
 * Keeps the session records of this gateway's members alive: they have a time to live, so that those of a dead process end. And says that
 * their owner lives, so that nobody takes its members for gone.
 */
export function keepSessions({ config, rooms, roomLog, instance, log }: Context): {
  close(): void
} {
  let isSaving = false
  const save = async (): Promise<void> => {
    if (isSaving) return
    isSaving = true
    try {
      for (const { fanout } of rooms.all()) {
        await saveMembers(roomLog.sessions, fanout)
      }
    } catch (error) {
      // The next save comes well before the records end.
      log.debug({ err: error }, 'sessions were not refreshed')
    } finally {
      isSaving = false
    }
  }
  const timer = setInterval(() => void save(), config.recoveryWindowMs / SAVES_PER_WINDOW)
  timer.unref()
  const beat = (): void => {
    // The log is away, which is reported where it is noticed; the next beat comes soon.
    roomLog.sessions.beat(instance).catch(() => undefined)
  }
  beat()
  const beats = setInterval(beat, OWNER_BEAT_MS)
  beats.unref()
  return {
    close: () => {
      clearInterval(timer)
      clearInterval(beats)
    },
  }
}

/** Those who leave while earlier ones are saved are left out: their sessions may have been dropped, and must not come back. */
async function saveMembers(sessions: Sessions, members: RoomFanout<Member>): Promise<void> {
  const all = [...members.receivers()]
  for (let i = 0; i < all.length; i += SAVE_CHUNK) {
    const present = all.slice(i, i + SAVE_CHUNK).filter((member) => members.has(member))
    await sessions.save(present.map(({ session }) => session))
  }
}
