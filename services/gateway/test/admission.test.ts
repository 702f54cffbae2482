import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { createAdmission } from '../src/admission.ts'

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

/** A clock that the timers move. */
const now = (): number => performance.now()

it('lets a second’s worth in at once, the next in their turn, and tells the rest to come back', () => {
  const admission = createAdmission({ perSecond: 100, waitMs: 2_000 }, now)
  const entered: number[] = []
  const answers = Array.from({ length: 400 }, (_, i) => admission?.ask(() => void entered.push(i)))
  expect(entered).toHaveLength(100)
  expect(admission?.waiting()).toBe(200)
  expect(answers.filter((retryAfterMs) => retryAfterMs === 0)).toHaveLength(300)
  expect(answers.at(-1)).toBe(2_000)

  jest.advanceTimersByTime(1_000)
  expect(entered.length).toBeGreaterThanOrEqual(195)
  expect(entered.length).toBeLessThanOrEqual(201)
  jest.advanceTimersByTime(1_100)
  expect(entered).toHaveLength(300)
  expect(entered).toEqual(entered.toSorted((a, b) => a - b))
  expect(admission?.waiting()).toBe(0)
})

it('a storm whose clients come back as stock ones do is in after its size divided by the rate', () => {
  const admission = createAdmission({ perSecond: 500, waitMs: 1_000 }, now)
  const entered = new Map<number, number>()
  let refused = 0
  const attempt = (client: number, backoffMs: number): void => {
    const retryAfterMs = admission?.ask(() => void entered.set(client, now())) ?? 0
    if (retryAfterMs === 0) return
    refused++
    setTimeout(
      () => attempt(client, Math.min(5_000, backoffMs * 2)),
      backoffMs * (0.5 + Math.random()),
    )
  }
  const startedAt = now()
  for (let client = 0; client < 5_000; client++) attempt(client, 1_000)
  jest.advanceTimersByTime(60_000)
  expect(entered.size).toBe(5_000)
  const seconds = (Math.max(...entered.values()) - startedAt) / 1_000
  expect(seconds).toBeLessThan(20)
  expect(refused).toBeLessThan(4 * 5_000)
  // Never more than the rate in any second, the burst aside.
  const late = [...entered.values()].filter((at) => at > startedAt)
  for (const from of [1, 3, 5, 8]) {
    const within = late.filter(
      (at) => at - startedAt >= from * 1_000 && at - startedAt < (from + 1) * 1_000,
    )
    expect(within.length).toBeLessThanOrEqual(505)
  }
})

it('one who left gives his place to the next', () => {
  const admission = createAdmission({ perSecond: 1, waitMs: 3_000 }, now)
  const entered: string[] = []
  const enter = (name: string) => () => void entered.push(name)
  admission?.ask(enter('first'))
  const second = enter('second')
  admission?.ask(second)
  admission?.ask(enter('third'))
  admission?.leave(second)
  jest.advanceTimersByTime(1_100)
  expect(entered).toEqual(['first', 'third'])
})

it('no rate is no admission', () => {
  expect(createAdmission({ perSecond: 0, waitMs: 1_000 }, now)).toBeUndefined()
})
