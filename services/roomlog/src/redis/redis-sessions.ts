import { RoomId } from '@roomcast/protocol'
import { LogUnavailable } from '../room-log.ts'
import type { FoundSession, SessionRecord, Sessions } from '../sessions.ts'
import type { RedisClient } from './connect.ts'
import { readScript } from './script.ts'

/** Records that are saved at a time: bounds what a refresh puts into Redis's queue at once. */
const SAVE_CHUNK = 200

/** Session records in Redis, each in a slot of its own. */
export function createRedisSessions(
  client: RedisClient,
  { keyPrefix, ttlMs }: { keyPrefix: string; ttlMs: number },
): Sessions {
  client.defineCommand('roomsession', { lua: readScript('session'), numberOfKeys: 1 })
  const { roomsession } = client as RedisClient & {
    roomsession(key: string, ...args: (string | number)[]): Promise<number>
  }
  const run = roomsession.bind(client)
  // In base64url, since a client chooses what it presents.
  const keyOf = (pid: string): string =>
    `${keyPrefix}:session:{${Buffer.from(pid).toString('base64url')}}`

  const save = ({ pid, generation, ...fields }: SessionRecord): Promise<number> =>
    run(keyOf(pid), 'save', generation, ttlMs, ...Object.entries(fields).flat())

  return {
    async save(records) {
      for (let i = 0; i < records.length; i += SAVE_CHUNK) {
        await told('saving sessions', Promise.all(records.slice(i, i + SAVE_CHUNK).map(save)))
      }
    },
    async find(pid) {
      return parseSession(pid, await told('finding a session', client.hgetall(keyOf(pid))))
    },
    async claim(pid, generation, owner) {
      const next = await told(
        'claiming a session',
        run(keyOf(pid), 'claim', generation, ttlMs, owner),
      )
      return next === 0 ? undefined : next
    },
    async quit(pid, generation) {
      return (await told('ending a session', run(keyOf(pid), 'quit', generation))) === 1
    },
    async drop(pid, generation) {
      return (await told('ending a session', run(keyOf(pid), 'drop', generation))) === 1
    },
  }
}

async function told<T>(doing: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw new LogUnavailable(`while ${doing}`, { cause: error })
  }
}

/** A record as it is in Redis; undefined for none, or for one that another version wrote in another way. */
function parseSession(
  pid: string,
  fields: Readonly<Record<string, string>>,
): FoundSession | undefined {
  const { sid, namespace, name, owner, quit } = fields
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
    since,
    owner,
    generation,
    hasQuit: quit === '1',
  }
}
