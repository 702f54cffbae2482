import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { RoomId, type AppendMessage, type AppendResult } from '@roomcast/protocol'
import {
  OWNER_SILENT_MS,
  type LogBatch,
  type Retention,
  type RoomLog,
  type SessionRecord,
} from '@roomcast/roomlog'

import { moderationContract } from './moderation-contract.ts'

/** Makes a log with the given retention; closing it is the suite's part. */
export type MakeLog = (retention?: Partial<Retention>) => Promise<RoomLog>

let rooms = 0
/** A room that no other test uses. */
export function newRoom(): RoomId {
  return RoomId.parse(`room ${++rooms} {}x}/é ${process.pid}`)
}

export const say = (text: string, key?: string): AppendMessage => ({
  payload: JSON.stringify({ event: 'broadcast_say', text }),
  key,
})

const appended = (result: AppendResult | undefined) => {
  if (result?.status !== 'appended') throw new Error(`not appended: ${JSON.stringify(result)}`)
  return result
}
const texts = (entries: readonly { payload: string }[]): string[] =>
  entries.map(({ payload }) => (JSON.parse(payload) as { text: string }).text)

/** Collects what a follower gets, and waits for a number of payloads. */
export function collector() {
  const batches: LogBatch[] = []
  let resumed = 0
  let wake: () => void = () => undefined
  const payloads = () => batches.flatMap((batch) => [...batch.payloads])
  return {
    batches,
    resumed: () => resumed,
    follower: {
      onBatch: (batch: LogBatch) => {
        batches.push(batch)
        wake()
      },
      onResumed: () => {
        resumed++
        wake()
      },
    },
    async has(condition: (payloads: readonly string[]) => boolean): Promise<void> {
      while (!condition(payloads())) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    payloads,
  }
}

/** What every `RoomLog` does. Run with a maker for each implementation. */
export function roomLogContract(name: string, makeLog: MakeLog): void {
  describe(`a room log in ${name}`, () => {
    let log: RoomLog
    beforeAll(async () => {
      log = await makeLog()
    })
    afterAll(() => log.close())

    it('numbers the messages of a room from 1 in the order of their appends', async () => {
      const room = newRoom()
      const [first] = await log.append([{ room, messages: [say('a'), say('b')] }])
      const [second] = await log.append([{ room, messages: [say('c')] }])
      expect(appended(first).seqs).toEqual([1, 2])
      expect(appended(second)).toEqual({
        status: 'appended',
        epoch: appended(first).epoch,
        seqs: [3],
      })
      const { head, entries } = await log.read(room, { limit: 10 })
      expect(head).toEqual({ epoch: appended(first).epoch, seq: 3, first: 1, ends: [] })
      expect(entries.map(({ seq }) => seq)).toEqual([1, 2, 3])
      expect(texts(entries)).toEqual(['a', 'b', 'c'])
    })

    it('keeps rooms apart, also in one call', async () => {
      const [one, two] = [newRoom(), newRoom()]
      const results = await log.append([
        { room: one, messages: [say('a')] },
        { room: two, messages: [say('b')] },
        { room: one, messages: [say('c')] },
      ])
      expect(results.map((result) => appended(result).seqs)).toEqual([[1], [1], [2]])
      expect(texts((await log.read(one, { limit: 10 })).entries)).toEqual(['a', 'c'])
      expect(texts((await log.read(two, { limit: 10 })).entries)).toEqual(['b'])
    })

    it('what is appended in one call has the outcomes and leaves the messages that it would have one by one', async () => {
      const rooms = Array.from({ length: 40 }, () => [newRoom(), newRoom()] as const)
      // A node of a cluster that has not seen the script yet may take two calls for one room in another order.
      await log.append(rooms.flat().map((room) => ({ room, messages: [say('first')] })))
      // Some batches are new, some come again, some leave numbers out; some keys are known; many are more than one script takes.
      const batches = (which: 0 | 1) =>
        rooms.flatMap((pair, i) =>
          Array.from({ length: 1 + (i % 4) }, (_, n) => ({
            room: pair[which],
            ...(i % 5 === 0
              ? {}
              : { producer: { id: `p${i % 2}`, first: [1, 2, 1, 9][(i + n) % 4] ?? 1 } }),
            messages: [say(`${i} ${n}`, n % 2 === 0 ? `k${i % 3}` : undefined)],
          })),
        )
      const together = await log.append(batches(0))
      const apart: AppendResult[] = []
      for (const batch of batches(1)) apart.push(...(await log.append([batch])))
      const withoutEpoch = (results: readonly AppendResult[]) =>
        results.map((result) => ({ ...result, epoch: undefined }))
      expect(withoutEpoch(together)).toEqual(withoutEpoch(apart))
      expect(new Set(together.map(({ status }) => status))).toEqual(
        new Set(['appended', 'out_of_order']),
      )
      for (const [one, other] of rooms) {
        const { entries } = await log.read(one, { limit: 10 })
        expect(entries).toEqual((await log.read(other, { limit: 10 })).entries)
      }
    })

    it('gives every message back as it came', async () => {
      const room = newRoom()
      const payload = JSON.stringify({ text: '\n\r\t"\\ \u2028 é 漢字 👩‍👩‍👧 \u0000' })
      await log.append([{ room, messages: [{ payload }] }])
      expect((await log.read(room, { limit: 1 })).entries).toEqual([{ seq: 1, payload }])
    })

    it('an unknown room has an empty log, and asking does not make one', async () => {
      const room = newRoom()
      const empty = { head: { epoch: '0', seq: 0, first: 1, ends: [] }, entries: [] }
      expect(await log.read(room, { limit: 10 })).toEqual(empty)
      expect(await log.heads([room])).toEqual([empty.head])
    })

    it.each([
      ['the oldest after a number', { after: 3, limit: 2 }, ['d', 'e']],
      ['the newest before a number', { before: 4, limit: 2 }, ['b', 'c']],
      ['the newest of all', { limit: 2 }, ['f', 'g']],
      ['all after 0', { after: 0, limit: 99 }, ['a', 'b', 'c', 'd', 'e', 'f', 'g']],
      ['none after the last', { after: 7, limit: 9 }, []],
      ['none after a number that is not given yet', { after: 99, limit: 9 }, []],
      ['none before the first', { before: 1, limit: 9 }, []],
      ['all before a number that is not given yet', { before: 99, limit: 2 }, ['f', 'g']],
      ['nothing but the head', { limit: 0 }, []],
    ])('reads %s', async (_, range, expected) => {
      const room = newRoom()
      await log.append([{ room, messages: 'abcdefg'.split('').map((text) => say(text)) }])
      const page = await log.read(room, range)
      expect(texts(page.entries)).toEqual(expected)
      expect(page.head.seq).toBe(7)
    })

    it('a batch that is sent again is answered as the first time and appended once', async () => {
      const room = newRoom()
      const batch = { room, producer: { id: 'p', first: 1 }, messages: [say('a'), say('b', 'k')] }
      const [first] = await log.append([batch])
      const [again] = await log.append([batch])
      expect(again).toEqual(first)
      const [next] = await log.append([
        { ...batch, producer: { id: 'p', first: 3 }, messages: [say('c')] },
      ])
      expect(appended(next).seqs).toEqual([3])
      expect(texts((await log.read(room, { limit: 9 })).entries)).toEqual(['a', 'b', 'c'])
    })

    it('a batch that comes late, or leaves numbers out, is refused whole', async () => {
      const room = newRoom()
      const send = async (first: number, ...messages: AppendMessage[]) =>
        (await log.append([{ room, producer: { id: 'p', first }, messages }]))[0]
      await send(1, say('a'), say('b'))
      await send(3, say('c'))
      expect(await send(1, say('a'), say('b'))).toEqual({ status: 'out_of_order', last: 3 })
      expect(await send(3, say('c'), say('d'))).toEqual({ status: 'out_of_order', last: 3 })
      expect(await send(5, say('e'))).toEqual({ status: 'out_of_order', last: 3 })
      expect((await log.read(room, { limit: 9 })).head.seq).toBe(3)
    })

    it('an unknown producer begins with any number, and producers do not disturb each other', async () => {
      const room = newRoom()
      const send = async (id: string, first: number, text: string) =>
        appended((await log.append([{ room, producer: { id, first }, messages: [say(text)] }]))[0])
          .seqs
      expect(await send('p', 7, 'a')).toEqual([1])
      expect(await send('q', 1, 'b')).toEqual([2])
      expect(await send('p', 8, 'c')).toEqual([3])
    })

    it('a message with a known key keeps its old number, in any batch, from any producer', async () => {
      const room = newRoom()
      await log.append([{ room, messages: [say('a', 'alice\n1'), say('b')] }])
      const [second] = await log.append([
        {
          room,
          producer: { id: 'p', first: 1 },
          messages: [say('c'), say('a', 'alice\n1'), say('d', 'bob\n1'), say('d', 'bob\n1')],
        },
      ])
      expect(appended(second).seqs).toEqual([3, 1, 4, 4])
      const [alone] = await log.append([{ room, messages: [say('a', 'alice\n1')] }])
      expect(appended(alone).seqs).toEqual([1])
      expect(texts((await log.read(room, { limit: 9 })).entries)).toEqual(['a', 'b', 'c', 'd'])
    })

    it('the same key in another room is another message', async () => {
      const [one, two] = [newRoom(), newRoom()]
      for (const room of [one, two]) {
        const [result] = await log.append([{ room, messages: [say('a', 'k')] }])
        expect(appended(result).seqs).toEqual([1])
      }
    })

    it('a follower gets each batch once and in order, and nothing after it stops', async () => {
      const room = newRoom()
      const { follower, has, batches, payloads } = collector()
      const following = await log.follow(room, follower)
      await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          log.append([{ room, messages: [say(`${i}a`), say(`${i}b`)] }]),
        ),
      )
      await has((all) => all.length === 40)
      expect(payloads()).toEqual(
        (await log.read(room, { limit: 99 })).entries.map(({ payload }) => payload),
      )
      expect(batches.map(({ first }) => first)).toEqual(
        Array.from({ length: 20 }, (_, i) => 2 * i + 1),
      )
      following.stop()
      const other = collector()
      await log.follow(room, other.follower)
      await log.append([{ room, messages: [say('late')] }])
      await other.has((all) => all.length === 1)
      expect(payloads()).toHaveLength(40)
    })

    it('followers are told of what is new alone', async () => {
      const room = newRoom()
      const { follower, has, batches } = collector()
      await log.append([{ room, messages: [say('a', 'k')] }])
      await log.follow(room, follower)
      await log.append([{ room, messages: [say('a', 'k')] }])
      await log.append([{ room, messages: [say('a', 'k'), say('b')] }])
      await has((all) => all.length === 1)
      expect(batches).toHaveLength(1)
      expect(batches[0]?.first).toBe(2)
    })

    it('followers get the traces of new messages by their numbers, and readers none', async () => {
      const room = newRoom()
      const { follower, has, batches } = collector()
      const [one, two] = ['a1', 'b2'].map((id) => `00-${id.repeat(16)}-${id.repeat(8)}-01`)
      await log.append([{ room, messages: [say('a', 'k')] }])
      await log.follow(room, follower)
      const traced = { ...say('b'), trace: one }
      await log.append([{ room, messages: [{ ...say('a', 'k'), trace: two }, traced, say('c')] }])
      await log.append([{ room, messages: [say('d')] }])
      await has((all) => all.length === 3)
      expect(batches.map(({ traces }) => traces)).toEqual([[[2, one]], undefined])
      expect(JSON.stringify(await log.read(room, { limit: 9 }))).not.toContain(one)
    })

    it('keeps the last messages of a long room, and says where they begin', async () => {
      const small = await makeLog({ historySize: 100 })
      const room = newRoom()
      for (let i = 0; i < 10; i++) {
        await small.append([
          { room, messages: Array.from({ length: 100 }, (_, j) => say(`${i} ${j}`)) },
        ])
      }
      const { head, entries } = await small.read(room, { after: 0, limit: 1_000 })
      expect(head.seq).toBe(1_000)
      expect(head.first).toBe(entries[0]?.seq)
      expect(entries.length).toBeGreaterThanOrEqual(100)
      expect(entries.length).toBeLessThanOrEqual(300)
      expect(entries.at(-1)?.seq).toBe(1_000)
      await small.close()
    })

    it('heads of many rooms come in the order asked', async () => {
      const asked = Array.from({ length: 450 }, newRoom)
      await log.append(asked.slice(0, 250).map((room) => ({ room, messages: [say('a')] })))
      const heads = await log.heads(asked)
      expect(heads.map(({ seq }) => seq)).toEqual(asked.map((_, i) => (i < 250 ? 1 : 0)))
    })

    moderationContract(() => log, makeLog)

    describe('keeps sessions', () => {
      const record = (pid: string): SessionRecord => ({
        pid,
        sid: `sid of ${pid}`,
        namespace: '/rooms/x',
        room: RoomId.parse('é {}x}'),
        name: 'alice',
        since: 7,
        owner: 'one',
        generation: 1,
      })
      const newPid = (): string => `pid ${newRoom()}`

      it('as they were saved', async () => {
        const [one, two] = [{ ...record(newPid()), user: 'u1' }, record(newPid())]
        await log.sessions.save([one, two])
        expect(await log.sessions.find(one.pid)).toEqual({ ...one, hasQuit: false })
        expect(await log.sessions.find(two.pid)).toEqual({ ...two, hasQuit: false })
        expect(await log.sessions.find('nobody')).toBeUndefined()
      })

      it('one claim of a generation wins, and saves of the old owner come too late', async () => {
        const session = record(newPid())
        await log.sessions.save([session])
        const claims = await Promise.all(
          ['two', 'three'].map((owner) => log.sessions.claim(session.pid, 1, owner)),
        )
        expect(claims.filter((claim) => claim !== undefined)).toEqual([
          { generation: 2, hasQuit: false },
        ])
        await log.sessions.save([session])
        const found = await log.sessions.find(session.pid)
        expect(found).toMatchObject({
          generation: 2,
          owner: claims[0] === undefined ? 'three' : 'two',
        })
        expect(await log.sessions.claim(session.pid, 2, 'four')).toMatchObject({ generation: 3 })
        expect(await log.sessions.claim('nobody', 1, 'four')).toBeUndefined()
      })

      it('a quit is for one caller alone, not after a claim, and a claim takes it back', async () => {
        const session = record(newPid())
        await log.sessions.save([session])
        const quits = await Promise.all([1, 2, 3].map(() => log.sessions.quit(session.pid, 1)))
        expect(quits.filter(Boolean)).toHaveLength(1)
        await log.sessions.save([session])
        expect(await log.sessions.find(session.pid)).toMatchObject({ hasQuit: true })
        expect(await log.sessions.claim(session.pid, 1, 'two')).toEqual({
          generation: 2,
          hasQuit: true,
        })
        expect(await log.sessions.find(session.pid)).toMatchObject({ hasQuit: false })
        expect(await log.sessions.quit(session.pid, 1)).toBe(false)
        expect(await log.sessions.quit(session.pid, 2)).toBe(true)
      })

      it('one that is dropped is gone, once', async () => {
        const session = record(newPid())
        await log.sessions.save([session])
        expect(await log.sessions.drop(session.pid, 2)).toBe(false)
        expect(await log.sessions.drop(session.pid, 1)).toBe(true)
        expect(await log.sessions.drop(session.pid, 1)).toBe(false)
        expect(await log.sessions.find(session.pid)).toBeUndefined()
      })

      it('an owner is told with the sessions that are still its own and not settled', async () => {
        const [owner, other] = [newPid(), newPid()]
        const all = Array.from({ length: 1_100 }, () => ({ ...record(newPid()), owner }))
        const [claimed, dropped, quit, settled, ...rest] = all.map(({ pid }) => pid)
        await log.sessions.save(all)
        await log.sessions.claim(claimed ?? '', 1, other)
        await log.sessions.drop(dropped ?? '', 1)
        await log.sessions.quit(quit ?? '', 1)
        await log.sessions.settle(owner, [settled ?? ''])
        for (const attempt of [1, 2]) {
          const owned = await log.sessions.ownedBy(owner)
          expect([attempt, new Set(owned.map(({ pid }) => pid))]).toEqual([
            attempt,
            new Set([quit, ...rest]),
          ])
          expect(owned.filter(({ hasQuit }) => hasQuit).map(({ pid }) => pid)).toEqual([quit])
        }
        expect((await log.sessions.ownedBy(other)).map(({ pid }) => pid)).toEqual([claimed])
        expect(await log.sessions.ownedBy('nobody')).toEqual([])
      })

      it('an owner is known by its first session', async () => {
        const [owner, other] = [newPid(), newPid()]
        const session = { ...record(newPid()), owner }
        await log.sessions.save([session])
        await log.sessions.claim(session.pid, 1, other)
        const owners = (await log.sessions.owners()).map((seen) => seen.owner)
        expect(owners).toEqual(expect.arrayContaining([owner, other]))
      })

      it('an owner that lives says so', async () => {
        const [owner, other] = [newPid(), newPid()]
        await log.sessions.beat(owner)
        await log.sessions.beat(other)
        const silentMs = async (): Promise<(number | undefined)[]> => {
          const owners = await log.sessions.owners()
          return [owner, other].map((name) => owners.find((seen) => seen.owner === name)?.silentMs)
        }
        for (const ms of await silentMs()) {
          expect(ms).toBeGreaterThanOrEqual(0)
          expect(ms).toBeLessThan(OWNER_SILENT_MS)
        }
        while (((await silentMs())[0] ?? 0) < 20) await log.sessions.beat(other)
        const [silent = 0, lively = 0] = await silentMs()
        expect(lively).toBeLessThan(silent)
      })
    })
  })
}
