import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parseOffset } from '@roomcast/protocol'
import { locate } from '@roomcast/roomlog'
import { newRoom, say } from '../../services/roomlog/test/contract.ts'
import { joinRoom, says } from '../support/clients.ts'
import { startDeployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import { startProxy } from '../support/proxy.ts'
import {
  hasCaughtUp,
  startRedis,
  startRedisCluster,
  startReplica,
  startSentinel,
  type TestCluster,
} from '../support/redis.ts'
import { logged, openFeed, openLog, startTalking } from '../support/traffic.ts'

it('a killed master whose replica has everything: Sentinel promotes it, all goes on in order, nothing twice', async () => {
  await using master = await startRedis()
  await using replica = await startReplica(master)
  await using sentinel = await startSentinel(master)
  const [log, other] = [await openLog(sentinel.url), await openLog(sentinel.url)]
  const room = newRoom()
  const { feed, payloads, lost } = await openFeed(other, room)
  const first = startTalking(log, room)
  await first.more(50)
  const before = await first.stop()
  await hasCaughtUp(master, replica)
  await master.kill()
  await until('a new master', async () =>
    (await replica.admin.info('replication')).includes('role:master'),
  )
  const second = startTalking(log, room)
  // Another gateway that says the same from the beginning: what was said before is known by its keys.
  await second.more(100)
  const after = await second.stop()
  await until('all messages', () => payloads().length >= after.length, 20_000)
  expect(after.slice(0, before.length)).toEqual(before)
  expect(payloads()).toEqual(after)
  expect(await logged(log, room)).toEqual(after)
  expect(lost()).toBe(0)
  feed.close()
  await Promise.all([log.close(), other.close()])
}, 60_000)

it('a replica that lacks the tail is promoted: the log begins a new epoch, and goes on to be delivered once and in order', async () => {
  await using master = await startRedis()
  await using replica = await startReplica(master)
  await using way = await startProxy(master.url)
  const log = await openLog(way.url.replace('http', 'redis'))
  const room = newRoom()
  const { feed, got, payloads, lost } = await openFeed(log, room)
  let numbered = 0
  const append = async (...texts: string[]) => {
    const producer = { id: 'p', first: numbered + 1 }
    const [result] = await log.append([{ room, producer, messages: texts.map((t) => say(t)) }])
    if (result?.status === 'appended') numbered += texts.length
    return result
  }
  await append('a', 'b')
  await hasCaughtUp(master, replica)
  await replica.admin.call('REPLICAOF', 'NO', 'ONE')
  await append('lost c', 'lost d')
  await until('the tail', () => got.length === 4)
  const tail = parseOffset(got.at(-1)?.offset ?? '')
  if (tail === undefined) throw new Error('there was to be a tail')

  way.retarget(replica.url.replace('redis', 'http'))
  way.cut()
  await until('the new master', () => log.isAvailable())
  // The producer's numbers went with the tail: it is told, and begins anew, as the outbox does.
  const fenced = await until('an answer', async () => {
    const result = await append('e')
    return result?.status === 'failed' ? undefined : result
  })
  expect(fenced).toEqual({ status: 'out_of_order', last: 2 })
  const producer = { id: 'q', first: 1 }
  expect(await log.append([{ room, producer, messages: [say('e'), say('f')] }])).toMatchObject([
    { status: 'appended', seqs: [3, 4] },
  ])
  await until('what came after', () => payloads().includes(say('f').payload))
  expect(payloads()).toEqual(
    ['a', 'b', 'lost c', 'lost d', 'e', 'f'].map((text) => say(text).payload),
  )
  expect(new Set(got.map(({ offset }) => offset)).size).toBe(6)
  expect(lost()).toBe(1)
  const [head] = await log.heads([room])
  if (head === undefined) throw new Error('there was to be a head')
  expect(head).toMatchObject({ seq: 4, ends: [{ epoch: tail.epoch, end: 2 }] })
  expect(locate(head, tail)).toEqual({ kind: 'cut', seq: 2 })
  expect(locate(head, { epoch: tail.epoch, seq: 2 })).toEqual({ kind: 'known', seq: 2 })
  feed.close()
  await log.close()
}, 60_000)

it('members go on over a lost tail; who was away and had a part of it is told that he is not recovered', async () => {
  await using master = await startRedis()
  await using replica = await startReplica(master)
  await using toRedis = await startProxy(master.url)
  await using deployment = await startDeployment({
    gateways: 2,
    redisUrl: toRedis.url.replace('http', 'redis'),
  })
  const [first, second] = deployment.gateways.map(({ url }) => url)
  await using way = await startProxy(first ?? '')
  const bob = await joinRoom(second ?? '', 'tail', 'bob')
  const [alice, carol] = await Promise.all(
    ['alice', 'carol'].map((name) => joinRoom(way.url, 'tail', name)),
  )
  if (alice === undefined || carol === undefined) throw new Error('two were to join')
  const sayAll = async (...texts: string[]): Promise<void> => {
    for (const text of texts) {
      await until(
        'a message to be taken',
        async () => (await bob.ask('say', { text, id: text })).ok,
      )
    }
  }
  await sayAll('1', '2')
  for (const member of [alice, bob, carol]) await member.got('a message', says('2'))
  await hasCaughtUp(master, replica)
  await replica.admin.call('REPLICAOF', 'NO', 'ONE')
  // Carol is away before the tail, alice has seen it.
  const { id: aliceBefore } = alice.socket
  carol.socket.io.reconnection(false)
  carol.socket.io.engine.close()
  await until('carol to be away', () => !carol.socket.connected)
  await sayAll('lost 3')
  await alice.got('what will be lost', says('lost 3'))
  way.retarget('http://127.0.0.1:1')
  way.cut()
  await until('alice to be away', () => !alice.socket.connected)

  toRedis.retarget(replica.url.replace('redis', 'http'))
  toRedis.cut()
  await sayAll('4', '5')
  await bob.got('a message of the new epoch', says('5'))
  expect(bob.texts()).toEqual(['1', '2', 'lost 3', '4', '5'])

  way.retarget(second ?? '')
  carol.socket.io.reconnection(true)
  carol.socket.connect()
  await carol.got('what she missed', says('5'))
  expect(carol.socket.recovered).toBe(true)
  expect(carol.texts()).toEqual(['1', '2', '4', '5'])
  await until('alice to be back', () => alice.socket.connected)
  expect(alice.socket.recovered).toBe(false)
  expect(alice.socket.id).not.toBe(aliceBefore)
  const { metricsUrl } = deployment.gateways[1] ?? {}
  expect(await (await fetch(`${metricsUrl}/metrics`)).text()).toMatch(
    /recoveries_total\{.*result="other_log".*\} 1\b/,
  )
  const offset = alice.received.findLast(({ offset: had }) => had !== undefined)?.offset
  expect(await alice.ask('join', { username: 'alice' })).toMatchObject({ ok: true })
  expect(await alice.ask('history', { after: offset })).toMatchObject({ code: 'offset_gone' })
  for (const client of [alice, bob, carol]) client.close()
}, 60_000)

describe('in a Redis Cluster under traffic', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startRedisCluster()
  }, 30_000)
  afterAll(async () => cluster[Symbol.asyncDispose]())

  it('a slot that moves from node to node: its room goes on, each message once and in order', async () => {
    const [log, other] = [await openLog(cluster.url), await openLog(cluster.url)]
    const room = newRoom()
    const { feed, payloads, lost } = await openFeed(other, room)
    const talker = startTalking(log, room)
    await talker.more(30)
    const key = `test:{${Buffer.from(room).toString('base64url')}}:meta`
    for (let moves = 0; moves < 8; moves++) {
      await cluster.moveSlotOf(key)
      await talker.more(30)
      // A subscription that a node dropped is found by comparing heads, as gateways do, and is in force from then on.
      const moved = talker.acknowledged()
      await until('the feed', async () => {
        const [head] = await other.heads([room])
        if (head !== undefined) feed.compare(head)
        return payloads().length >= moved
      })
      await talker.more(30)
      await until('live messages', () => payloads().length >= moved + 30)
    }
    const all = await talker.stop()
    await until('all messages', () => payloads().length >= all.length)
    expect(payloads()).toEqual(all)
    expect(await logged(log, room)).toEqual(all)
    expect(lost()).toBe(0)
    feed.close()
    await Promise.all([log.close(), other.close()])
  }, 60_000)

  it('subscriptions that are cut on every node: the room goes on, each message once and in order', async () => {
    const [log, other] = [await openLog(cluster.url), await openLog(cluster.url)]
    const room = newRoom()
    const { feed, payloads } = await openFeed(other, room)
    const talker = startTalking(log, room)
    for (let cuts = 0; cuts < 3; cuts++) {
      await talker.more(30)
      for (const { admin } of cluster.nodes) await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    }
    await talker.more(30)
    const all = await talker.stop()
    await until('all messages', () => payloads().length >= all.length)
    expect(payloads()).toEqual(all)
    feed.close()
    await Promise.all([log.close(), other.close()])
  }, 60_000)
})
