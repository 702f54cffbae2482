import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRedisLog, RoomFeed, type RoomLog } from '@roomcast/roomlog'
import { collector, newRoom, roomLogContract, say } from '../../services/roomlog/test/contract.ts'
import { startProcess, until, within } from '../support/processes.ts'
import { startRedis, startRedisCluster, type TestRedis } from '../support/redis.ts'

const cwd = fileURLToPath(new URL('../..', import.meta.url))

let redis: TestRedis
let cluster: Awaited<ReturnType<typeof startRedisCluster>>
beforeAll(async () => {
  redis = await startRedis()
  cluster = await startRedisCluster()
})
afterAll(async () => {
  await redis[Symbol.asyncDispose]()
  await cluster[Symbol.asyncDispose]()
})

async function openLog(url: string, retention = {}): Promise<RoomLog> {
  const log = createRedisLog({ url, retention, keyPrefix: 'test' })
  await until('Redis to be available', () => log.isAvailable())
  return log
}

roomLogContract('Redis', (retention) => openLog(redis.url, retention))
roomLogContract('a Redis Cluster', (retention) => openLog(cluster.url, retention))

describe('a room log in Redis', () => {
  const texts = (log: RoomLog, room: ReturnType<typeof newRoom>) =>
    log
      .read(room, { after: 0, limit: 1_000 })
      .then(({ entries }) => entries.map(({ payload }) => payload))

  it('sets a time to live on everything that it keeps', async () => {
    await using own = await startRedis()
    const log = await openLog(own.url)
    const room = newRoom()
    await log.append([{ room, producer: { id: 'p', first: 1 }, messages: [say('a', 'k')] }])
    const keys = await own.admin.keys('*')
    expect(keys).toHaveLength(4)
    for (const key of keys) expect(await own.admin.pttl(key)).toBeGreaterThan(0)
    await log.close()
  })

  it('a room that can not be written fails alone, and is told why', async () => {
    await using own = await startRedis()
    const log = await openLog(own.url)
    const rooms = [newRoom(), newRoom(), newRoom()]
    const append = () => log.append(rooms.map((room) => ({ room, messages: [say('a')] })))
    await log.append([{ room: rooms[1] ?? newRoom(), messages: [say('first')] }])
    const [stream = ''] = await own.admin.keys('*:log')
    await own.admin.set(stream, 'not a stream')
    expect(await append()).toMatchObject([
      { status: 'appended', seqs: [1] },
      { status: 'failed', message: expect.stringContaining('WRONGTYPE') },
      { status: 'appended', seqs: [1] },
    ])
    await log.close()
  })

  it('keeps a session alive for an owner that was overtaken, and changes nothing', async () => {
    await using own = await startRedis()
    const log = await openLog(own.url)
    const session = {
      pid: 'pid',
      sid: 'sid',
      namespace: '/',
      room: newRoom(),
      name: 'alice',
      since: 1,
      owner: 'one',
      generation: 1,
    }
    await log.sessions.save([session])
    await log.sessions.claim('pid', 1, 'two')
    const [key = ''] = await own.admin.keys('*:session:*')
    await own.admin.pexpire(key, 10_000)
    await log.sessions.save([session])
    expect(await own.admin.pttl(key)).toBeGreaterThan(100_000)
    expect(await log.sessions.find('pid')).toMatchObject({ owner: 'two', generation: 2 })
    await log.close()
  })

  it('fails fast while Redis is away, and goes on by itself with nothing lost when it is back', async () => {
    await using own = await startRedis()
    const log = await openLog(own.url)
    const room = newRoom()
    const { follower, has, resumed, payloads } = collector()
    await log.follow(room, follower)
    const batch = (first: number, text: string) => ({
      room,
      producer: { id: 'p', first },
      messages: [say(text)],
    })
    await log.append([batch(1, 'before')])
    await has((all) => all.length === 1)
    await own.kill()
    await until('the log to notice', () => !log.isAvailable())
    const started = Date.now()
    expect(await log.append([batch(2, 'during')])).toMatchObject([{ status: 'failed' }])
    await expect(log.read(room, { limit: 1 })).rejects.toThrow('while reading a room')
    await expect(log.follow(newRoom(), follower)).rejects.toThrow('while subscribing')
    expect(Date.now() - started).toBeLessThan(1_000)
    await own.restart()
    await until('the log to be back', () => log.isAvailable())
    expect(await log.append([batch(2, 'during')])).toMatchObject([
      { status: 'appended', seqs: [2] },
    ])
    await until('the subscription to be back', () => resumed() > 0)
    await log.append([batch(3, 'after')])
    await within(
      5_000,
      'live messages after the restart',
      has((all) => all.includes(say('after').payload)),
    )
    expect(await texts(log, room)).toEqual(
      ['before', 'during', 'after'].map((text) => say(text).payload),
    )
    expect(payloads()[0]).toBe(say('before').payload)
    await log.close()
  })

  it('notices a Redis that vanished without a word, and goes on when it is back', async () => {
    await using own = await startRedis()
    const log = await openLog(own.url)
    const room = newRoom()
    const { follower, has } = collector()
    await log.follow(room, follower)
    own.pause()
    expect(await log.append([{ room, messages: [say('a', 'k')] }])).toMatchObject([
      { status: 'failed' },
    ])
    await until('the log to notice', () => !log.isAvailable())
    own.resume()
    await until('the log to be back', () => log.isAvailable())
    expect(await log.append([{ room, messages: [say('a', 'k')] }])).toMatchObject([{ seqs: [1] }])
    await within(
      5_000,
      'the message',
      has((all) => all.includes(say('a').payload)),
    )
    await log.close()
  })

  it('a room whose numbers were lost begins anew: nothing that was known of it counts', async () => {
    await using own = await startRedis()
    const log = await openLog(own.url)
    const room = newRoom()
    const batch = { room, producer: { id: 'p', first: 1 }, messages: [say('a', 'k'), say('b')] }
    await log.append([batch])
    const [meta] = await own.admin.keys('*:meta')
    await own.admin.del(meta ?? '')
    expect(await log.append([batch])).toMatchObject([{ status: 'appended', seqs: [1, 2] }])
    expect(await texts(log, room)).toEqual(batch.messages.map(({ payload }) => payload))
    await log.close()
  })

  it('begins a new epoch on another server, and keeps the end of the old one', async () => {
    await using own = await startRedis()
    const log = await openLog(own.url)
    const room = newRoom()
    await log.append([{ room, messages: [say('a'), say('b', 'k')] }])
    const { head: before } = await log.read(room, { limit: 1 })
    await own.kill()
    await own.restart()
    await until('the log to be back', () => log.isAvailable())
    await log.append([{ room, messages: [say('c')] }])
    // What is sent again is answered with the place that it has: of the old epoch.
    const [again] = await log.append([{ room, messages: [say('b', 'k'), say('d')] }])
    expect(again).toMatchObject({
      seqs: [2, 4],
      epochs: [before.epoch, again?.status === 'appended' && again.epoch],
    })
    const { head: after } = await log.read(room, { limit: 1 })
    expect(after.epoch).not.toBe(before.epoch)
    expect(after).toMatchObject({ seq: 4, first: 1, ends: [{ epoch: before.epoch, end: 2 }] })
    await log.close()
  })

  it('a feed survives CLIENT KILL of its subscription in the midst of traffic: each message once, in order', async () => {
    const [log, other] = [await openLog(redis.url), await openLog(redis.url)]
    const room = newRoom()
    const got: number[] = []
    let repairs = 0
    const feed = await RoomFeed.open(log, room, {
      onRun: ({ entries }) => got.push(...entries.map(({ seq }) => seq)),
      onRepair: () => repairs++,
    })
    for (let i = 0; i < 300; i++) {
      if (i % 60 === 30) await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await other.append([{ room, messages: [say(`${i}`)] }])
    }
    await until('all messages', () => got.length >= 300)
    expect(got).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
    expect(repairs).toBeGreaterThan(0)
    feed.close()
    await log.close()
    await other.close()
  })

  it('a process that closes its connection while it asks for the slots of a cluster ends', async () => {
    const ask = `
      import { connectRedis } from '@roomcast/roomlog'
      const client = connectRedis('${cluster.url}', 'test')
      let hasRested = false
      const look = setInterval(() => {
        if (client.status !== 'ready') return
        if (!client.isRefreshing) hasRested = true
        else if (hasRested) {
          clearInterval(look)
          client.disconnect()
          console.log('closed')
        }
      }, 1)`
    await using asking = startProcess(
      process.execPath,
      ['--conditions=source', '--disable-warning=ExperimentalWarning', '--eval', ask],
      { cwd, env: { PATH: process.env['PATH'] ?? '' } },
    )
    await asking.printed(/closed/)
    expect(await asking.ended()).toBe(0)
  })

  it('a wrong password is told, and does not end the process', async () => {
    await using own = await startRedis(['--requirepass', 'right'])
    const errors: unknown[] = []
    const log = createRedisLog({
      url: own.url.replace('//', '//:wrong@'),
      onEvent: (event) => event.kind !== 'available' && errors.push(event.error),
    })
    await until('the error', () => errors.some((error) => /WRONGPASS/.test(String(error))))
    expect(log.isAvailable()).toBe(false)
    await log.close()
  })
})
