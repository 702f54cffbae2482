import type { FoundSession, Sessions } from './sessions.ts'

interface Kept {
  readonly session: FoundSession
  readonly expiresAt: number
  readonly isSettled: boolean
}

/** Sessions that are looked through for expired ones at each save: all of them are seen in a few saves each. */
const SWEEP_PER_SAVE = 8

/** Sessions in the memory of one process; the reference for what every store does. */
export function createMemorySessions(ttlMs: number, now: () => number): Sessions {
  const kept = new Map<string, Kept>()
  /** When each owner said last that it lives. */
  const beats = new Map<string, number>()

  const find = (pid: string): FoundSession | undefined => {
    const found = kept.get(pid)
    return found !== undefined && found.expiresAt > now() ? found.session : undefined
  }
  const put = (session: FoundSession): void => {
    // To the end of the map, whose beginning has those that were not saved for longest.
    kept.delete(session.pid)
    kept.set(session.pid, { session, expiresAt: now() + ttlMs, isSettled: false })
    if (!beats.has(session.owner)) beats.set(session.owner, now())
  }
  const sweep = (): void => {
    let left = SWEEP_PER_SAVE
    for (const [pid, { expiresAt }] of kept) {
      if (expiresAt > now() || left-- === 0) return
      kept.delete(pid)
    }
  }
  const current = (pid: string, generation: number): FoundSession | undefined => {
    const session = find(pid)
    return session?.generation === generation ? session : undefined
  }

  return {
    async save(records) {
      for (const record of records) {
        const old = find(record.pid)
        if (old !== undefined && old.generation > record.generation) put(old)
        else put({ ...record, hasQuit: old?.generation === record.generation && old.hasQuit })
        sweep()
      }
    },
    async find(pid) {
      return find(pid)
    },
    async claim(pid, generation, owner) {
      const session = current(pid, generation)
      if (session === undefined) return undefined
      put({ ...session, owner, generation: generation + 1, hasQuit: false })
      return { generation: generation + 1, hasQuit: session.hasQuit }
    },
    async quit(pid, generation) {
      const session = current(pid, generation)
      if (session === undefined || session.hasQuit) return false
      const { expiresAt = 0, isSettled = false } = kept.get(pid) ?? {}
      kept.set(pid, { session: { ...session, hasQuit: true }, expiresAt, isSettled })
      return true
    },
    async drop(pid, generation) {
      const session = current(pid, generation)
      if (session === undefined) return false
      kept.delete(pid)
      return !session.hasQuit
    },
    async beat(owner) {
      beats.set(owner, now())
      for (const [seen, at] of beats) if (at <= now() - ttlMs) beats.delete(seen)
    },
    async owners() {
      return [...beats].map(([owner, at]) => ({ owner, silentMs: now() - at }))
    },
    async ownedBy(owner) {
      return [...kept.values()]
        .filter(({ expiresAt, isSettled }) => expiresAt > now() && !isSettled)
        .map(({ session }) => session)
        .filter((session) => session.owner === owner)
    },
    async settle(owner, pids) {
      for (const pid of pids) {
        const found = kept.get(pid)
        if (found?.session.owner === owner) kept.set(pid, { ...found, isSettled: true })
      }
    },
  }
}
