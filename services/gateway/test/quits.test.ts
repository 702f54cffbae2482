import { afterEach, beforeEach, expect, it, jest } from '@jest/globals'
import { createQuits } from '../src/quits.ts'

beforeEach(() => {
  jest.useFakeTimers({ now: 0 })
})
afterEach(() => {
  jest.useRealTimers()
})

function quits(graceMs: number) {
  const announced: string[] = []
  return {
    announced,
    ...createQuits<string>(graceMs, {
      now: Date.now,
      announce: async (quit) => void announced.push(quit),
    }),
  }
}

it('announces each quit when its own grace is over, in order', () => {
  const { add, announced } = quits(5_000)
  add('alice')
  jest.advanceTimersByTime(3_000)
  add('bob')
  jest.advanceTimersByTime(1_999)
  expect(announced).toEqual([])
  jest.advanceTimersByTime(1)
  expect(announced).toEqual(['alice'])
  jest.advanceTimersByTime(3_000)
  expect(announced).toEqual(['alice', 'bob'])
})

it('announces at once without a grace', () => {
  const { add, announced } = quits(0)
  add('alice')
  expect(announced).toEqual(['alice'])
})

it('announces all that wait when it is hastened, and each once', async () => {
  const { add, flush, size, announced } = quits(5_000)
  add('alice')
  add('bob')
  expect(size()).toBe(2)
  await flush()
  expect(size()).toBe(0)
  jest.advanceTimersByTime(10_000)
  expect(announced).toEqual(['alice', 'bob'])
  add('carol')
  jest.advanceTimersByTime(5_000)
  expect(announced).toEqual(['alice', 'bob', 'carol'])
})
