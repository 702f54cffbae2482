import { expect, it } from '@jest/globals'
import { createMemoryLog } from '@roomcast/roomlog'
import { newRoom, roomLogContract, say } from './contract.ts'

roomLogContract('memory', async (retention) => createMemoryLog({ retention: retention ?? {} }))

const MINUTE = 60_000

function logAt(start: number) {
  let now = start
  const log = createMemoryLog({
    now: () => now,
    retention: { historyTtlMs: 60 * MINUTE, keyWindowMs: 2 * MINUTE, producerTtlMs: 5 * MINUTE },
  })
  return { log, pass: (ms: number) => (now += ms) }
}

it('messages are forgotten after their time, numbers after twice that, unless somebody asks for the head', async () => {
  const { log, pass } = logAt(1_000)
  const room = newRoom()
  await log.append([{ room, messages: [say('a')] }])
  pass(61 * MINUTE)
  expect(await log.read(room, { limit: 9 })).toMatchObject({
    entries: [],
    head: { seq: 1, first: 2 },
  })
  pass(50 * MINUTE)
  expect(await log.heads([room])).toMatchObject([{ seq: 1 }])
  pass(119 * MINUTE)
  expect(await log.heads([room])).toMatchObject([{ seq: 1 }])
  pass(121 * MINUTE)
  expect(await log.heads([room])).toMatchObject([{ epoch: '0', seq: 0 }])
  await log.close()
})

it('a key is known for its window and forgotten after one and a half', async () => {
  const { log, pass } = logAt(1_000)
  const room = newRoom()
  const append = async () => (await log.append([{ room, messages: [say('a', 'k')] }]))[0]
  expect(await append()).toMatchObject({ seqs: [1] })
  pass(2 * MINUTE)
  expect(await append()).toMatchObject({ seqs: [1] })
  pass(3 * MINUTE)
  expect(await append()).toMatchObject({ seqs: [2] })
  await log.close()
})

it('a producer that was idle for longer than any retry is forgotten', async () => {
  const { log, pass } = logAt(1_000)
  const room = newRoom()
  const send = async (first: number) =>
    (await log.append([{ room, producer: { id: 'p', first }, messages: [say('a')] }]))[0]
  await send(1)
  expect(await send(9)).toMatchObject({ status: 'out_of_order' })
  pass(6 * MINUTE)
  expect(await send(9)).toMatchObject({ status: 'appended', seqs: [2] })
  await log.close()
})

it('a session is kept alive by an owner that was overtaken, which changes nothing', async () => {
  const { log, pass } = logAt(1_000)
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
  for (let minutes = 0; minutes < 9; minutes += 3) {
    pass(3 * MINUTE)
    await log.sessions.save([session])
  }
  expect(await log.sessions.find('pid')).toMatchObject({ owner: 'two', generation: 2 })
  pass(5 * MINUTE)
  expect(await log.sessions.find('pid')).toBeUndefined()
  await log.close()
})
