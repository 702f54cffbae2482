import { describe, expect, it } from '@jest/globals'
import {
  encodeModeration,
  formatOffset,
  parseOffset,
  type AppendMessage,
  type RoomId,
} from '@roomcast/protocol'
import { isCompleteAfter, RoomFeed, type Act, type Ban, type RoomLog } from '@roomcast/roomlog'
import { collector, newRoom, say, type MakeLog } from './contract.ts'

/** What every log does for moderators: a part of the contract of a `RoomLog`. */
export function moderationContract(logOf: () => RoomLog, makeLog: MakeLog): void {
  const told = (room: RoomId, key: string): AppendMessage => ({
    payload: encodeModeration('cleared', room, {}, 1),
    key,
  })
  let keys = 0
  const act = (room: RoomId, what: Act, key = `act ${++keys}`) =>
    logOf().moderation.act(room, what, told(room, key))
  const seqs = async (room: RoomId, log = logOf()): Promise<number[]> =>
    (await log.read(room, { after: 0, limit: 1_000 })).entries.map(({ seq }) => seq)
  const headOf = async (room: RoomId) => (await logOf().read(room, { limit: 0 })).head
  const fill = async (room: RoomId, n: number): Promise<string> => {
    const messages = Array.from({ length: n }, (_, i) => say(`${i}`, `k ${i}`))
    const [result] = await logOf().append([{ room, messages }])
    if (result?.status !== 'appended') throw new Error('not appended')
    return result.epoch
  }
  const ban = (user: string, more: Partial<Ban> = {}): Act => ({
    kind: 'ban',
    ban: { user, since: 5, ...more },
  })

  describe('moderation', () => {
    it('a deleted entry leaves the log, the event that tells it comes in its place of the order, and nothing counts as lost', async () => {
      const room = newRoom()
      const epoch = await fill(room, 5)
      expect(await act(room, { kind: 'delete', epoch, seq: 3 })).toMatchObject({ seqs: [6] })
      expect(await seqs(room)).toEqual([1, 2, 4, 5, 6])
      // The oldest ones too: who left off before them has missed nothing that there is.
      for (const seq of [1, 2]) await act(room, { kind: 'delete', epoch, seq })
      expect(await seqs(room)).toEqual([4, 5, 6, 7, 8])
      const head = await headOf(room)
      expect(head.first).toBe(1)
      expect(isCompleteAfter(head, 0)).toBe(true)
      const ranges = await Promise.all([
        logOf().read(room, { after: 2, limit: 2 }),
        logOf().read(room, { before: 6, limit: 9 }),
        logOf().read(room, { limit: 3 }),
      ])
      expect(ranges.map(({ entries }) => entries.map(({ seq }) => seq))).toEqual([
        [4, 5],
        [4, 5],
        [6, 7, 8],
      ])
    })

    it('a message key of what was deleted keeps its answer', async () => {
      const room = newRoom()
      const epoch = await fill(room, 3)
      await act(room, { kind: 'delete', epoch, seq: 2 })
      const [again] = await logOf().append([{ room, messages: [say('1', 'k 1')] }])
      expect(again).toMatchObject({ status: 'appended', seqs: [2] })
      expect(await seqs(room)).toEqual([1, 3, 4])
    })

    it('a delete that is tried again is one, and tells it once', async () => {
      const room = newRoom()
      const epoch = await fill(room, 3)
      const once = await act(room, { kind: 'delete', epoch, seq: 1 }, 'same')
      expect(await act(room, { kind: 'delete', epoch, seq: 1 }, 'same')).toEqual(once)
      expect(await seqs(room)).toEqual([2, 3, 4])
      expect((await headOf(room)).first).toBe(1)
    })

    it('with the epoch of another log nothing is deleted', async () => {
      const room = newRoom()
      await fill(room, 2)
      expect(await act(room, { kind: 'delete', epoch: 'other', seq: 1 })).toEqual({
        status: 'missing',
      })
      expect(await seqs(room)).toEqual([1, 2])
    })

    it('a cleared room has the event that tells it and what came after; its numbers go on', async () => {
      const room = newRoom()
      await fill(room, 4)
      expect(await act(room, { kind: 'clear' })).toMatchObject({ seqs: [5] })
      expect(await seqs(room)).toEqual([5])
      await fill(room, 1)
      await logOf().append([{ room, messages: [say('b')] }])
      expect(await seqs(room)).toEqual([5, 6])
      expect(await headOf(room)).toMatchObject({ first: 1, seq: 6 })
      await act(room, { kind: 'clear' })
      expect(await headOf(room)).toMatchObject({ first: 1, seq: 7 })
      expect(await seqs(room)).toEqual([7])
    })

    it('what trimming took is lost, whatever was deleted before', async () => {
      const small = await makeLog({ historySize: 100 })
      const room = newRoom()
      const hundred = Array.from({ length: 100 }, () => say('x'))
      const [result] = await small.append([{ room, messages: hundred }])
      const epoch = result?.status === 'appended' ? result.epoch : ''
      await small.moderation.act(room, { kind: 'delete', epoch, seq: 1 }, told(room, 'one'))
      expect((await small.read(room, { limit: 0 })).head.first).toBe(1)
      for (let i = 0; i < 5; i++) await small.append([{ room, messages: hundred }])
      const { head } = await small.read(room, { limit: 0 })
      expect(head.first).toBe((await seqs(room, small))[0])
      expect(isCompleteAfter(head, 0)).toBe(false)
      await small.close()
    })

    it('deletes that race with appends leave followers with every entry once, in order, and the log without the deleted', async () => {
      const room = newRoom()
      const epoch = await fill(room, 1)
      const got: number[] = []
      let lost = 0
      const feed = await RoomFeed.open(
        logOf(),
        room,
        {
          onRun: ({ entries }) => got.push(...entries.map(({ seq }) => seq)),
          onLost: () => lost++,
        },
        { epoch, seq: 0 },
      )
      const { follower, has } = collector()
      await logOf().follow(room, follower)
      const deletes = []
      for (let i = 0; i < 30; i++) {
        const [result] = await logOf().append([{ room, messages: [say(`${i}`), say(`last ${i}`)] }])
        const seq = result?.status === 'appended' ? (result.seqs[0] ?? 0) : 0
        deletes.push(act(room, { kind: 'delete', epoch, seq }))
      }
      await Promise.all(deletes)
      await logOf().append([{ room, messages: [say('end')] }])
      await has((payloads) => payloads.includes(say('end').payload))
      expect(got).toEqual(Array.from({ length: 92 }, (_, i) => i + 1))
      expect(lost).toBe(0)
      expect((await seqs(room)).length).toBe(92 - 30)
      feed.close()
    })

    it('a log in which nothing was said can be neither cleared nor left, and that makes none', async () => {
      const room = newRoom()
      expect(await act(room, { kind: 'clear' })).toEqual({ status: 'missing' })
      expect(await act(room, { kind: 'kick', user: 'alice' })).toEqual({ status: 'missing' })
      expect(await headOf(room)).toMatchObject({ epoch: '0' })
    })

    it('remembers the last removal of a user, also when the room is cleared', async () => {
      const room = newRoom()
      await fill(room, 2)
      expect(await logOf().moderation.standingOf(room, 'alice')).toEqual({ removedAt: 0 })
      await act(room, { kind: 'kick', user: 'alice' })
      await act(room, { kind: 'clear' })
      expect(await logOf().moderation.standingOf(room, 'alice')).toEqual({ removedAt: 3 })
      await act(room, { kind: 'kick', user: 'alice' })
      expect(await logOf().moderation.standingOf(room, 'alice')).toEqual({ removedAt: 5 })
      expect(await logOf().moderation.standingOf(room, 'bob')).toEqual({ removedAt: 0 })
    })

    it('a ban is there with its words until it is lifted or over, also in a room that has no log', async () => {
      const room = newRoom()
      const { moderation } = logOf()
      const until = Date.now() + 100_000
      const acted = await act(room, ban('a\nb é', { reason: 'why {}" é', until }))
      expect(acted).toMatchObject({ status: 'appended', seqs: [1] })
      await act(room, ban('endless'))
      await act(room, ban('over', { until: Date.now() - 1 }))
      const first = { user: 'a\nb é', since: 5, reason: 'why {}" é', until }
      expect(await moderation.bans(room)).toEqual([first, { user: 'endless', since: 5 }])
      expect(await moderation.banOf(room, 'a\nb é')).toEqual(first)
      expect(await moderation.standingOf(room, 'a\nb é')).toEqual({ ban: first, removedAt: 1 })
      expect(await moderation.banOf(room, 'over')).toBeUndefined()
      expect(await moderation.lift(room, 'over')).toBe(false)
      expect(await moderation.lift(room, 'endless')).toBe(true)
      expect(await moderation.lift(room, 'endless')).toBe(false)
      expect(await moderation.bans(room)).toEqual([first])
      const { head } = await logOf().read(room, { limit: 0 })
      expect(parseOffset(formatOffset({ epoch: head.epoch, seq: 1 }))).toBeDefined()
    })
  })

  describe('revocations', () => {
    it('are told to followers and stay on the list; an earlier word on tokens stays', async () => {
      const { revocations } = logOf()
      const user = `user ${newRoom()} é`
      const heard: unknown[] = []
      const { promise, resolve } = Promise.withResolvers<void>()
      const following = await revocations.follow({
        onRevoked: (revocation) => {
          if (revocation.user === user && heard.push(revocation) === 2) resolve()
        },
        onResumed: () => undefined,
      })
      const first = await revocations.add(user, { revokesTokens: true, reason: 'a reason' })
      expect(first).toEqual({ user, at: first?.at, tokensBefore: first?.at, reason: 'a reason' })
      const second = await revocations.add(user, { revokesTokens: false })
      expect(second).toEqual({ user, at: second?.at, tokensBefore: first?.at })
      await promise
      expect(heard).toEqual([first, second])
      const listed = await revocations.list()
      expect(listed.filter((one) => one.user === user)).toEqual([second])
      following.stop()
    })
  })
}
