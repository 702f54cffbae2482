import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { ClientError, RoomId, type AppendBatch, type AppendResult } from '@roomcast/protocol'
import { createLog } from '@roomcast/runtime'
import { createOutbox } from '../src/outbox.ts'
import type { Outcome } from '../src/room-queue.ts'

const room = RoomId.parse('r')
const log = createLog('test', 'silent')

beforeEach(() => {
  jest.useFakeTimers({ now: 0 })
})
afterEach(() => {
  jest.useRealTimers()
})

/** An outbox whose appends are answered by hand. */
function outbox(limits = { maxMessages: 10_000, maxBytes: 16_777_216 }, restMs = 0) {
  const requests: {
    batches: readonly AppendBatch[]
    answer: (results: AppendResult[]) => void
    fail: () => void
  }[] = []
  const outcomes = new Map<string, Outcome>()
  let isLogAvailable = true
  const box = createOutbox({
    ...limits,
    restMs,
    instance: 'gw',
    isLogAvailable: () => isLogAvailable,
    now: Date.now,
    log,
    append: (batches) =>
      new Promise((resolve, reject) => {
        requests.push({ batches, answer: resolve, fail: () => reject(new Error('no answer')) })
      }),
  })
  return {
    ...box,
    requests,
    outcomes,
    say: (text: string, to = room) =>
      box.add(to, { payload: text }, (outcome) => outcomes.set(text, outcome)),
    texts: (i: number) =>
      requests[i]?.batches.map(({ messages }) => messages.map(({ payload }) => payload)),
    setLogAvailable: (is: boolean) => (isLogAvailable = is),
    /** Lets promises and immediate callbacks go on. */
    turn: () => jest.advanceTimersByTimeAsync(1),
  }
}

const appended = (...seqs: number[]): AppendResult => ({ status: 'appended', epoch: 'e', seqs })

describe('an outbox', () => {
  it('sends what arrives in one turn together, of many rooms in one request', async () => {
    const { say, turn, texts, requests } = outbox()
    say('a')
    say('b')
    say('c', RoomId.parse('other'))
    expect(requests).toHaveLength(0)
    await turn()
    expect(requests).toHaveLength(1)
    expect(texts(0)).toEqual([['a', 'b'], ['c']])
  })

  it('has one batch of a room under way, and gathers what arrives meanwhile', async () => {
    const { say, turn, texts, requests, outcomes } = outbox()
    say('a')
    await turn()
    say('b')
    say('c')
    await turn()
    expect(requests).toHaveLength(1)
    requests[0]?.answer([appended(7)])
    await turn()
    expect(outcomes.get('a')).toEqual({ offset: 'e:7' })
    expect(texts(1)).toEqual([['b', 'c']])
    expect(requests[1]?.batches[0]?.producer?.first).toBe(2)
    expect(requests[1]?.batches[0]?.producer?.id).toBe(requests[0]?.batches[0]?.producer?.id)
  })

  it('lets other rooms wait for a rest after a request, to go together, and none on an idle outbox', async () => {
    const { say, turn, texts, requests } = outbox(undefined, 10)
    const [one, two, three] = ['one', 'two', 'three'].map((name) => RoomId.parse(name))
    say('a', one)
    await turn()
    expect(texts(0)).toEqual([['a']])
    say('b', two)
    await jest.advanceTimersByTimeAsync(5)
    say('c', three)
    await jest.advanceTimersByTimeAsync(3)
    expect(requests).toHaveLength(1)
    await turn()
    expect(texts(1)).toEqual([['b'], ['c']])
    await jest.advanceTimersByTimeAsync(10)
    say('d', three)
    requests[1]?.answer([appended(1), appended(1)])
    await turn()
    expect(texts(2)).toEqual([['d']])
  })

  it('lets nobody wait whose last message was in the last request', async () => {
    const { say, turn, texts, requests } = outbox(undefined, 10)
    const [one, two] = ['one', 'two'].map((name) => RoomId.parse(name))
    say('a', one)
    await turn()
    say('b', two)
    await turn()
    requests[0]?.answer([appended(1)])
    await turn()
    expect(requests).toHaveLength(1)
    say('c', one)
    await turn()
    // Who waits goes with it.
    expect(texts(1)).toEqual([['b'], ['c']])
  })

  it('ends a rest when it is flushed', async () => {
    const { say, turn, requests, flush } = outbox(undefined, 1_000)
    say('a')
    await turn()
    say('b', RoomId.parse('other'))
    void flush()
    expect(requests).toHaveLength(2)
  })

  it('sends a batch without an answer again, exactly as it was', async () => {
    const { say, turn, requests, outcomes } = outbox()
    say('a')
    await turn()
    say('b')
    requests[0]?.fail()
    await jest.advanceTimersByTimeAsync(100)
    expect(requests[1]?.batches).toEqual(requests[0]?.batches)
    requests[1]?.answer([{ status: 'failed', message: 'away' }])
    await jest.advanceTimersByTimeAsync(200)
    expect(requests[2]?.batches).toEqual(requests[0]?.batches)
    requests[2]?.answer([appended(1)])
    await turn()
    expect(outcomes.get('a')).toEqual({ offset: 'e:1' })
    expect(requests[3]?.batches[0]?.messages.map(({ payload }) => payload)).toEqual(['b'])
  })

  it('takes a new producer id when the log refuses its numbers, and loses nothing', async () => {
    const { say, turn, requests, outcomes } = outbox()
    say('a')
    await turn()
    requests[0]?.answer([{ status: 'out_of_order', last: 0 }])
    await jest.advanceTimersByTimeAsync(100)
    const [first, second] = [requests[0]?.batches[0]?.producer, requests[1]?.batches[0]?.producer]
    expect(second?.id).not.toBe(first?.id)
    expect(second?.first).toBe(1)
    requests[1]?.answer([appended(3)])
    await turn()
    expect(outcomes.get('a')).toEqual({ offset: 'e:3' })
    say('b')
    await turn()
    expect(requests[2]?.batches[0]?.producer).toEqual({ id: second?.id, first: 2 })
  })

  it('tells the sender that the outcome is unknown after the deadline, and numbers anew', async () => {
    const { say, turn, requests, outcomes, size } = outbox()
    say('a')
    for (let passed = 0; passed < 6_000; passed += 100) {
      requests.at(-1)?.fail()
      await jest.advanceTimersByTimeAsync(100)
    }
    expect(outcomes.get('a')).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 })
    expect(size()).toBe(0)
    const before = requests.length
    say('b')
    await turn()
    expect(requests[before]?.batches[0]?.producer?.id).not.toBe(
      requests[0]?.batches[0]?.producer?.id,
    )
  })

  it('refuses a room at once while its appends fail, but for one that tries, and no other room', async () => {
    const { say, turn, texts, requests, outcomes } = outbox()
    say('a')
    await turn()
    requests[0]?.fail()
    await jest.advanceTimersByTimeAsync(1_100)
    expect(() => say('b')).toThrow(expect.objectContaining({ code: 'unavailable' }))
    say('elsewhere', RoomId.parse('healthy'))
    await turn()
    const healthy = requests.findIndex((_, i) => texts(i)?.[0]?.[0] === 'elsewhere')
    requests[healthy]?.answer([appended(1)])
    await turn()
    expect(outcomes.get('elsewhere')).toEqual({ offset: 'e:1' })
    requests[1]?.answer([appended(1)])
    await turn()
    expect(outcomes.get('a')).toEqual({ offset: 'e:1' })
    say('c')
    await turn()
    requests.at(-1)?.answer([appended(2)])
    await turn()
    expect(outcomes.get('c')).toEqual({ offset: 'e:2' })
  })

  it('refuses every room at once when the log has been away for a while, but for one that tries', async () => {
    const { say, turn, setLogAvailable } = outbox()
    setLogAvailable(false)
    say('a')
    await turn()
    say('b', RoomId.parse('other'))
    await jest.advanceTimersByTimeAsync(1_100)
    expect(() => say('c', RoomId.parse('third'))).toThrow(
      expect.objectContaining({ code: 'unavailable' }),
    )
    setLogAvailable(true)
    expect(() => say('d', RoomId.parse('third'))).not.toThrow()
  })

  it('rooms that fail take no place from those that do not', async () => {
    const { say, turn, requests, outcomes } = outbox()
    for (let i = 0; i < 8; i++) {
      say(`bad ${i}`, RoomId.parse(`bad ${i}`))
      await turn()
      requests.at(-1)?.fail()
      await turn()
    }
    await jest.advanceTimersByTimeAsync(200)
    // All of them are under way again, without an answer.
    say('good', RoomId.parse('good'))
    await turn()
    const good = requests.find(({ batches }) => batches[0]?.room === 'good')
    good?.answer([appended(1)])
    await turn()
    expect(outcomes.get('good')).toEqual({ offset: 'e:1' })
  })

  it.each([
    ['messages', { maxMessages: 2, maxBytes: 1_000_000 }],
    ['bytes', { maxMessages: 100, maxBytes: 700 }],
  ])('is busy when it is full of %s', async (_, limits) => {
    const { say, turn, requests } = outbox(limits)
    say('a')
    say('b')
    expect(() => say('c')).toThrow(ClientError)
    await turn()
    requests[0]?.answer([appended(1, 2)])
    await turn()
    expect(() => say('d')).not.toThrow()
  })

  it('flushes: what is under way gets its outcome, and nothing more is taken', async () => {
    const { say, turn, requests, outcomes, flush } = outbox()
    say('a')
    const flushed = flush()
    expect(() => say('b')).toThrow(expect.objectContaining({ code: 'unavailable' }))
    await turn()
    requests[0]?.answer([appended(1)])
    await flushed
    expect(outcomes.get('a')).toEqual({ offset: 'e:1' })
  })

  it('keeps the producer of a room with members, and forgets the one of a room without', async () => {
    const { say, turn, requests, forget } = outbox()
    for (const [i, text] of ['a', 'b', 'c'].entries()) {
      if (i === 2) forget(room)
      say(text)
      await turn()
      requests[i]?.answer([appended(i + 1)])
      await turn()
    }
    const ids = requests.map(({ batches }) => batches[0]?.producer?.id)
    expect(ids[1]).toBe(ids[0])
    expect(ids[2]).not.toBe(ids[0])
  })
})
