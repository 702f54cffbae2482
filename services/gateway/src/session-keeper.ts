import type { Context } from './member/context.ts'

/** A session is saved three times in each window, so that one save that fails costs nothing. */
const SAVES_PER_WINDOW = 3

/** Keeps the session records of this gateway's members alive: they have a time to live, so that those of a dead process end. */
export function keepSessions({ config, rooms, roomLog, log }: Context): { close(): void } {
  let isSaving = false
  const save = async (): Promise<void> => {
    if (isSaving) return
    isSaving = true
    try {
      for (const { fanout } of rooms.all()) {
        await roomLog.sessions.save([...fanout.receivers()].map(({ session }) => session))
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
  return { close: () => clearInterval(timer) }
}
