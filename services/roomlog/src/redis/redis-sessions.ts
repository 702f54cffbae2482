import { RoomId } from '@roomcast/protocol'
import type { FoundSession, SessionRecord, Sessions } from '../sessions.ts'
import { timed, type OnRedisCommand } from './commands.ts'
import { told } from '../unavailable.ts'
import type { RedisClient } from './connect.ts'
import { readScript } from './script.ts'

/** Records that are saved at a time: bounds what a refresh puts into Redis's queue at once. */
const SAVE_CHUNK = 200

/** Sessions of one owner that are read at a time. */
const OWNED_CHUNK = 500

/**
 * Session records in Redis, each in a slot of its own. Beside them a sorted set for each owner has the ids of its sessions by the time
 * until which they may be there: an index that is written before the record and may name what has moved on, so a reader looks.
 */
export function createRedisSessions(
  client: RedisClient,
  { keyPrefix, ttlMs, onCommand }: { keyPrefix: string; ttlMs: number; onCommand: OnRedisCommand },
): Sessions {
  client.defineCommand('roomsession', { lua: readScript('session'), numberOfKeys: 1 })
  client.defineCommand('roomowners', { lua: readScript('owners'), numberOfKeys: 1 })
  const scripts = client as RedisClient & {
    roomsession(key: string, ...args: (string | number)[]): Promise<number>
    roomowners(key: string, ...args: (string | number)[]): Promise<string[]>
  }
  const run = scripts.roomsession.bind(client)
  const ownersKey = `${keyPrefix}:owners`
  const indexOf = (owner: string): string => `${keyPrefix}:owner:{${owner}}`
  // In base64url, since a client chooses what it presents.
  const keyOf = (pid: string): string =>
    `${keyPrefix}:session:{${Buffer.from(pid).toString('base64url')}}`

  const save = ({ pid, generation, ...fields }: SessionRecord): Promise<number> =>
    run(
      keyOf(pid),
      'save',
      generation,
      ttlMs,
      ...Object.entries(fields).flatMap(([field, value]) =>
        value === undefined ? [] : [field, value],
      ),
    )

  const beatOf = (owner: string): Promise<unknown> =>
    scripts.roomowners(ownersKey, 'beat', ttlMs, owner)
  /** The owners of this process, which is one, that are known to the store. */
  const known = new Set<string>()
  const index = async (owner: string, pids: readonly string[]): Promise<void> => {
    const indexed = client.zadd(indexOf(owner), ...pids.flatMap((pid) => [Date.now() + ttlMs, pid]))
    // An owner may end before its first beat.
    await (known.has(owner) ? indexed : Promise.all([beatOf(owner), indexed]))
    known.add(owner)
  }
  const find = async (pid: string): Promise<FoundSession | undefined> =>
    parseSession(pid, await client.hgetall(keyOf(pid)))

  const asked = <T>(doing: string, promise: Promise<T>): Promise<T> =>
    told(
      doing,
      timed('session', onCommand, () => promise),
    )

  return {
    async save(records) {
      for (let i = 0; i < records.length; i += SAVE_CHUNK) {
        const chunk = records.slice(i, i + SAVE_CHUNK)
        const indexed = [...Map.groupBy(chunk, ({ owner }) => owner)].map(([owner, own]) =>
          index(
            owner,
            own.map(({ pid }) => pid),
          ),
        )
        await asked('saving sessions', Promise.all([...indexed, ...chunk.map(save)]))
      }
    },
    async find(pid) {
      return asked('finding a session', find(pid))
    },
    async claim(pid, generation, owner) {
      const [, next] = await asked(
        'claiming a session',
        Promise.all([index(owner, [pid]), run(keyOf(pid), 'claim', generation, ttlMs, owner)]),
      )
      return next === 0 ? undefined : { generation: Math.abs(next), hasQuit: next < 0 }
    },
    async quit(pid, generation) {
      return (await asked('ending a session', run(keyOf(pid), 'quit', generation))) === 1
    },
    async drop(pid, generation) {
      return (await asked('ending a session', run(keyOf(pid), 'drop', generation))) === 1
    },
    async beat(owner) {
      await asked(
        'saying that an owner lives',
        Promise.all([
          beatOf(owner),
          client.zremrangebyscore(indexOf(owner), '-inf', String(Date.now())),
          client.pexpire(indexOf(owner), ttlMs),
        ]),
      )
    },
    async owners() {
      const found = await asked('finding owners', scripts.roomowners(ownersKey, 'list'))
      return Array.from({ length: found.length / 2 }, (_, i) => ({
        owner: found[2 * i] ?? '',
        silentMs: Number(found[2 * i + 1]),
      }))
    },
    async ownedBy(owner) {
      const pids = await asked('finding sessions', client.zrange(indexOf(owner), 0, '-1'))
      const owned: FoundSession[] = []
      for (let i = 0; i < pids.length; i += OWNED_CHUNK) {
        const chunk = pids.slice(i, i + OWNED_CHUNK)
        const found = await asked('finding sessions', Promise.all(chunk.map(find)))
        const gone = chunk.filter((_, at) => found[at]?.owner !== owner)
        if (gone.length > 0) await asked('settling sessions', client.zrem(indexOf(owner), ...gone))
        for (const session of found) if (session?.owner === owner) owned.push(session)
      }
      return owned
    },
    async settle(owner, pids) {
      if (pids.length > 0) await asked('settling sessions', client.zrem(indexOf(owner), ...pids))
    },
  }
}

/** A record as it is in Redis; undefined for none, or for one that another version wrote in another way. */
function parseSession(
  pid: string,
  fields: Readonly<Record<string, string>>,
): FoundSession | undefined {
  const { sid, namespace, name, user, owner, quit } = fields
  const room = RoomId.safeParse(fields['room'])
  const [since, generation] = [Number(fields['since']), Number(fields['generation'])]
  if (sid === undefined || namespace === undefined || name === undefined || owner === undefined)
    return undefined
  if (!room.success || !Number.isFinite(since) || !Number.isInteger(generation)) return undefined
  return {
    pid,
    sid,
    namespace,
    room: room.data,
    name,
    ...(user === undefined ? {} : { user }),
    since,
    owner,
    generation,
    hasQuit: quit === '1',
  }
}
