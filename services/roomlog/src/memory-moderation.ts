import {
  BANS_PER_ROOM_MAX,
  type AppendMessage,
  type AppendResult,
  type RoomId,
} from '@roomcast/protocol'
import { wholeFrom, type Room } from './memory.ts'
import {
  byUser,
  isInForce,
  REMOVALS_KEPT,
  type Act,
  type Ban,
  type Moderation,
} from './moderation.ts'

/** Moderation in the memory of one process; the reference for what every store does. */
export function createMemoryModeration({
  find,
  append,
  now,
}: {
  find(room: RoomId): Room | undefined
  append(room: RoomId, message: AppendMessage): AppendResult
  now(): number
}): Moderation {
  const banned = new Map<RoomId, Map<string, Ban>>()

  /** The room's bans, without those whose time is over. */
  const inForce = (room: RoomId): Map<string, Ban> => {
    const bans = banned.get(room) ?? new Map<string, Ban>()
    for (const [user, ban] of bans) if (!isInForce(ban, now())) bans.delete(user)
    if (bans.size === 0) banned.delete(room)
    return bans
  }
  const appended = (room: RoomId, message: AppendMessage) => {
    const result = append(room, message)
    if (result.status !== 'appended') throw new Error('no producer, so no order to keep')
    return { result, seq: result.seqs[0] ?? 0 }
  }
  const remove = (room: RoomId, user: string, seq: number): void => {
    const removed = find(room)?.removed
    if (removed === undefined || (removed.get(user) ?? 0) >= seq) return
    removed.delete(user)
    removed.set(user, seq)
    const [oldest] = removed.keys()
    if (removed.size > REMOVALS_KEPT && oldest !== undefined) removed.delete(oldest)
  }

  const doTo = (room: RoomId, act: Act, message: AppendMessage) => {
    const log = find(room)
    switch (act.kind) {
      case 'kick': {
        if (log === undefined) return { status: 'missing' } as const
        const { result, seq } = appended(room, message)
        remove(room, act.user, seq)
        return result
      }
      case 'ban': {
        const { user } = act.ban
        const bans = inForce(room)
        if (bans.size >= BANS_PER_ROOM_MAX && !bans.has(user)) return { status: 'full' } as const
        const { result, seq } = appended(room, message)
        banned.set(room, bans.set(user, act.ban))
        remove(room, user, seq)
        return result
      }
      case 'delete': {
        if (log?.epoch !== act.epoch) return { status: 'missing' } as const
        const from = wholeFrom(log)
        const wasOldest = log.entries[0]?.seq === act.seq
        log.entries = log.entries.filter(({ seq }) => seq !== act.seq)
        const next = log.entries[0]?.seq ?? log.seq + 1
        if (wasOldest) log.deleted = { from, before: next }
        return appended(room, message).result
      }
      case 'clear': {
        if (log === undefined) return { status: 'missing' } as const
        const from = wholeFrom(log)
        const { result, seq: before } = appended(room, message)
        log.entries = log.entries.filter(({ seq }) => seq >= before)
        log.deleted = { from, before }
        return result
      }
    }
  }

  return {
    act: async (room, act, message) => doTo(room, act, message),
    async lift(room, user) {
      const bans = inForce(room)
      const wasBanned = bans.delete(user)
      if (bans.size === 0) banned.delete(room)
      return wasBanned
    },
    bans: async (room) => [...inForce(room).values()].toSorted(byUser),
    banOf: async (room, user) => inForce(room).get(user),
    standingOf: async (room, user) => ({
      ban: inForce(room).get(user),
      removedAt: find(room)?.removed.get(user) ?? 0,
    }),
  }
}
