import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { createExpiries } from '../../src/auth/expiries.ts'

beforeEach(() => void jest.useFakeTimers({ now: 0 }))
afterEach(() => void jest.useRealTimers())

it('each ends once, not before its time and soon after it, with one timer for all', () => {
  const ended: [string, number][] = []
  const expiries = createExpiries<{ readonly name: string }>({
    now: Date.now,
    expire: ({ name }) => ended.push([name, Date.now()]),
  })
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ({ name }))
  if (!a || !b || !c || !d) throw new Error('no items')
  expiries.set(a, 1_500)
  expiries.set(b, 1_700)
  expiries.set(c, 5_000)
  expiries.set(d, undefined)
  expect(jest.getTimerCount()).toBe(1)
  jest.advanceTimersByTime(1_400)
  expect(ended).toEqual([])
  jest.advanceTimersByTime(1_600)
  expect(ended).toEqual([
    ['a', 2_000],
    ['b', 2_000],
  ])
  // A new time takes the place of the old one.
  expiries.set(c, 9_000)
  jest.advanceTimersByTime(5_000)
  expect(ended).toHaveLength(2)
  expiries.delete(c)
  jest.advanceTimersByTime(60_000)
  expect(ended).toHaveLength(2)
  expect(expiries.size()).toBe(0)
  expect(jest.getTimerCount()).toBe(0)
})
