import { RoomId } from '@roomcast/protocol'
import { Cluster } from 'ioredis'
import type { FoundSession, SessionRecord, Sessions } from '../sessions.ts'
import { timed, type OnRedisCommand } from './commands.ts'
import { told } from '../unavailable.ts'
import type { RedisClient } from './connect.ts'
import { readScript } from './script.ts'

/** Records that are saved at a time: bounds how long a refresh keeps Redis from anything else. */
const SAVE_CHUNK = 50

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
  client.defineCommand('roomsessions', {
    lua: `local function session(KEYS, ARGV)\n${readScript('session')}\nend\n${readScript('sessions')}`,
  })
  client.defineCommand('roomowners', { lua: readScript('owners'), numberOfKeys: 1 })
  const scripts = client as RedisClient & {
    roomsession(key: string, ...args: (string | number)[]): Promise<number>
    roomsessions(...args: (string | number)[]): Promise<unknown>
    roomowners(key: string, ...args: (string | number)[]): Promise<string[]>
  }
  const run = scripts.roomsession.bind(client)
  const ownersKey = `${keyPrefix}:owners`
  const indexOf = (owner: string): string => `${keyPrefix}:owner:{${owner}}`
  // In base64url, since a client chooses what it presents.
  const keyOf = (pid: string): string =>
    `${keyPrefix}:session:{${Buffer.from(pid).toString('base64url')}}`

  const beatOf = (owner: string): Promise<unknown> =>
    scripts.roomowners(ownersKey, 'beat', ttlMs, owner)
  /** The owners of this process, which is one, that are known to the store. */
  const known = new Set<string>()
  /** An owner may end before its first beat. */
  const makeKnown = async (owner: string): Promise<void> => {
    if (known.has(owner)) return
    await beatOf(owner)
    known.add(owner)
  }
  const index = async (owner: string, pids: readonly string[]): Promise<void> => {
    const members = pids.flatMap((pid) => [Date.now() + ttlMs, pid])
    await Promise.all([makeKnown(owner), client.zadd(indexOf(owner), ...members)])
  }
  const saveApart = async (owner: string, records: readonly SessionRecord[]): Promise<void> => {
    const saved = records.map((record) =>
      run(keyOf(record.pid), 'save', record.generation, ttlMs, ...fieldsOf(record)),
    )
    const pids = records.map(({ pid }) => pid)
    await Promise.all([index(owner, pids), ...saved])
  }
  const saveTogether = async (owner: string, records: readonly SessionRecord[]): Promise<void> => {
    const args: (string | number)[] = [1 + records.length, indexOf(owner)]
    for (const { pid } of records) args.push(keyOf(pid))
    args.push(Date.now() + ttlMs, ttlMs)
    for (const record of records) {
      const fields = fieldsOf(record)
      args.push(record.pid, record.generation, fields.length / 2, ...fields)
    }
    await Promise.all([makeKnown(owner), scripts.roomsessions(...args)])
  }
  // In a cluster each session is in another slot.
  const save = client instanceof Cluster ? saveApart : saveTogether
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
        const saved = [...Map.groupBy(chunk, ({ owner }) => owner)].map(([owner, own]) =>
          save(owner, own),
        )
        await asked('saving sessions', Promise.all(saved))
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

/** What a record has beside its id and its generation: names and values by turns. */
function fieldsOf({ pid: _pid, generation: _generation, ...fields }: SessionRecord) {
  return Object.entries(fields).flatMap(([field, value]) =>
    value === undefined ? [] : [field, value],
  )
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
