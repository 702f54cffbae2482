import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { createRedisLog } from '@roomcast/roomlog'
import { newRoom, roomLogContract, say } from '../../services/roomlog/test/contract.ts'
import { joinRoom } from '../support/clients.ts'
import { startDeployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { startRedis, startReplica, startSentinel, type TestRedis } from '../support/redis.ts'
import { logged, openLog, startTalking } from '../support/traffic.ts'

const suite = new AsyncDisposableStack()
let master: TestRedis
let replica: TestRedis
beforeAll(async () => {
  master = suite.use(await startRedis())
  replica = suite.use(await startReplica(master))
})
afterAll(async () => suite.disposeAsync())

roomLogContract('Redis with a replica that is waited for', async (retention = {}) => {
  const log = createRedisLog({ url: master.url, retention, waitReplicas: 1, keyPrefix: 'test' })
  await until('Redis to be available', () => log.isAvailable())
  return log
})

it('an append counts once a replica has it; until then it fails, and is answered as the first time when it comes again', async () => {
  const [log, other] = [await openLog(master.url, 1), await openLog(master.url, 1)]
  const room = newRoom()
  const batch = { room, producer: { id: 'p', first: 1 }, messages: [say('a', 'k'), say('b')] }
  replica.pause()
  const failed = { status: 'failed', message: '0 of 1 replicas have it after 1000 ms' }
  expect(await log.append([batch])).toEqual([failed])
  // It is in the log, but neither the producer's nor the key's memory of it counts as an acknowledgement, on any connection.
  expect(await logged(log, room)).toEqual(batch.messages.map(({ payload }) => payload))
  expect(await other.append([batch])).toEqual([failed])
  expect(await other.append([{ room, messages: [say('a', 'k')] }])).toEqual([failed])
  replica.resume()
  expect(await other.append([batch])).toMatchObject([{ status: 'appended', seqs: [1, 2] }])
  expect(await logged(log, room)).toHaveLength(2)
  const [stream = ''] = await replica.admin.keys(
    `test:{${Buffer.from(room).toString('base64url')}}:log`,
  )
  expect(await replica.admin.xlen(stream)).toBe(2)
  await Promise.all([log.close(), other.close()])
}, 60_000)

it('reading does not wait for replicas', async () => {
  const log = await openLog(master.url, 1)
  const room = newRoom()
  replica.pause()
  const append = log.append([{ room, messages: [say('a')] }])
  const started = performance.now()
  await log.heads([room, newRoom()])
  expect(performance.now() - started).toBeLessThan(900)
  replica.resume()
  await append
  await log.close()
}, 60_000)

it('a say is refused while there is no replica, and the same id again is one message', async () => {
  await using deployment = await startDeployment({
    gateways: 1,
    redisUrl: master.url,
    env: { WAIT_REPLICAS: '1' },
  })
  const alice = await joinRoom(deployment.gateways[0]?.url ?? '', 'waited', 'alice')
  expect(await alice.ask('say', { text: 'one', id: '1' })).toMatchObject({ ok: true })
  replica.pause()
  const two = { text: 'two', id: '2' }
  expect(await alice.ask('say', two)).toMatchObject({ code: 'unavailable' })
  replica.resume()
  await until('the replica', async () => (await alice.ask('say', two)).ok)
  const { messages } = await alice.ask<{ messages: { data: { text?: string } }[] }>('history', {})
  expect(messages.flatMap(({ data: { text } }) => text ?? [])).toEqual(['one', 'two'])
  alice.close()
}, 60_000)

it('a master killed in the midst of traffic: what was acknowledged is in the log of the replica that Sentinel promotes', async () => {
  await using first = await startRedis()
  await using second = await startReplica(first)
  await using third = await startReplica(first)
  await using sentinel = await startSentinel(first, 2)
  const log = await openLog(sentinel.url, 1)
  const room = newRoom()
  const talkers = Array.from({ length: 4 }, () => startTalking(log, room))
  await Promise.all(talkers.map((talker) => talker.more(50)))
  await first.kill()
  await Promise.all(talkers.map((talker) => talker.more(50)))
  const acknowledged = new Set((await Promise.all(talkers.map((talker) => talker.stop()))).flat())
  const inLog = await logged(log, room)
  expect(new Set(inLog).size).toBe(inLog.length)
  expect(new Set(inLog)).toEqual(acknowledged)
  const roles = await Promise.all(
    [second, third].map(
      async ({ admin }) => /role:(\w+)/.exec(await admin.info('replication'))?.[1],
    ),
  )
  expect(roles.map(String).sort((a, b) => a.localeCompare(b))).toEqual(['master', 'slave'])
  await log.close()
}, 60_000)
