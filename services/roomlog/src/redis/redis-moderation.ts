import { BANS_PER_ROOM_MAX, type AppendMessage, type RoomId } from '@roomcast/protocol'
import {
  byUser,
  isInForce,
  REMOVALS_KEPT,
  type Acted,
  type Ban,
  type Moderation,
} from '../moderation.ts'
import { told } from '../unavailable.ts'
import type { RedisClient } from './connect.ts'
import type { RoomKeys } from './keys.ts'

/** What the script of moderation takes after the arguments of an append. */
export type ActArgs = readonly (string | number)[]

/** Moderation in Redis, each room's in its own slot. */
export function createRedisModeration(
  client: RedisClient,
  {
    keysOf,
    act: runAct,
  }: {
    keysOf(room: RoomId): RoomKeys
    act(keys: RoomKeys, message: AppendMessage, act: ActArgs): Promise<Acted>
  },
): Moderation {
  const inForce = (user: string, value: string | null | undefined): Ban | undefined => {
    const ban = typeof value === 'string' ? parseBan(user, value) : undefined
    return ban !== undefined && isInForce(ban, Date.now()) ? ban : undefined
  }
  const banOf = async (room: RoomId, user: string): Promise<Ban | undefined> =>
    inForce(user, await told('looking for a ban', client.hget(keysOf(room).bans, user)))

  return {
    async act(room, act, message) {
      const [subject, value] =
        act.kind === 'kick'
          ? [act.user, '']
          : act.kind === 'ban'
            ? [act.ban.user, encodeBan(act.ban)]
            : act.kind === 'delete'
              ? [act.epoch, act.seq]
              : ['', '']
      const args = [act.kind, subject, value, BANS_PER_ROOM_MAX, REMOVALS_KEPT]
      return told('moderating a room', runAct(keysOf(room), message, args))
    },
    async lift(room, user) {
      const wasBanned = (await banOf(room, user)) !== undefined
      await told('lifting a ban', client.hdel(keysOf(room).bans, user))
      return wasBanned
    },
    async bans(room) {
      const all = await told('listing bans', client.hgetall(keysOf(room).bans))
      return Object.entries(all)
        .flatMap(([user, value]) => inForce(user, value) ?? [])
        .toSorted(byUser)
    },
    banOf,
    async standingOf(room, user) {
      const { removals } = keysOf(room)
      const [ban, removedAt] = await Promise.all([
        banOf(room, user),
        told('looking for a removal', client.zscore(removals, user)),
      ])
      return { ban, removedAt: Number(removedAt ?? 0) }
    },
  }
}

function encodeBan({ until = 0, since, reason = '' }: Ban): string {
  return `${until} ${since} ${reason}`
}

function parseBan(user: string, value: string): Ban | undefined {
  const [, until, since, reason] = /^(\d+) (\d+) (.*)$/s.exec(value) ?? []
  if (until === undefined) return undefined
  return {
    user,
    since: Number(since),
    ...(until === '0' ? {} : { until: Number(until) }),
    ...(reason === undefined || reason === '' ? {} : { reason }),
  }
}
