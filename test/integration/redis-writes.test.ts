import { readFile } from 'node:fs/promises'
import { expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import { createRedisLog } from '@roomcast/roomlog'
import { until } from '../support/processes.ts'
import { startRedis } from '../support/redis.ts'

const ROOMS = 200

/** The write system calls of this process so far, as Linux counts them. */
async function writesSoFar(): Promise<number> {
  return Number(/^syscw: (\d+)/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1])
}

it('what is appended in one turn reaches Redis by a few writes and in its order, also on a new connection', async () => {
  await using redis = await startRedis()
  const log = createRedisLog({ url: redis.url })
  const rooms = Array.from({ length: ROOMS }, (_, i) => RoomId.parse(`room ${i}`))
  const append = async (text: string) =>
    log.append(rooms.map((room) => ({ room, messages: [{ payload: text }] })))
  const isAppended = ({ status }: { readonly status: string }): boolean => status === 'appended'
  for (const connection of ['the first', 'the next']) {
    if (connection === 'the next')
      await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    // This loads the script, too.
    await until('Redis', async () => (await append(connection)).every(isAppended))
    const before = await writesSoFar()
    const results = await append(`${connection} again`)
    expect(results.filter(isAppended)).toHaveLength(ROOMS)
    expect((await writesSoFar()) - before).toBeLessThan(ROOMS / 2)
  }
  for (const room of rooms) {
    const { entries } = await log.read(room, { after: 0, limit: 10 })
    const order = ['the first', 'the first again', 'the next', 'the next again']
    expect(new Set(entries.map(({ payload }) => payload))).toEqual(new Set(order))
    expect(entries.map(({ payload }) => order.indexOf(payload))).toEqual(
      entries.map(({ payload }) => order.indexOf(payload)).toSorted((a, b) => a - b),
    )
  }
  await log.close()
})
