import { describe, expect, it } from '@jest/globals'
import { dueToClose } from '../src/drain.ts'

describe('a drain', () => {
  const drain = { total: 100, spreadMs: 20_000, maxPerTick: 1_000 }

  it.each([
    ['closes nothing at its start', 100, 0, 0],
    ['is on the line after a tenth', 100, 2_000, 10],
    ['makes up for a late tick', 100, 10_000, 50],
    ['waits when others left by themselves', 30, 10_000, 0],
    ['closes the rest at the end', 7, 20_000, 7],
    ['and after it', 7, 99_000, 7],
    ['has nothing to do when all are gone', 0, 5_000, 0],
  ])('%s', (_, open, elapsedMs, due) => {
    expect(dueToClose({ ...drain, open, elapsedMs })).toBe(due)
  })

  it('is no faster than its limit', () => {
    expect(dueToClose({ ...drain, open: 100, elapsedMs: 20_000, maxPerTick: 5 })).toBe(5)
  })

  it('without a spread closes all at once', () => {
    expect(dueToClose({ ...drain, open: 100, elapsedMs: 0, spreadMs: 0 })).toBe(100)
  })

  it('step by step leaves nobody and never more than a step from the line', () => {
    let open = 1_000
    for (let elapsedMs = 0; elapsedMs <= 20_000; elapsedMs += 100) {
      const due = dueToClose({ open, total: 1_000, elapsedMs, spreadMs: 20_000, maxPerTick: 200 })
      expect(due).toBeLessThanOrEqual(6)
      open -= due
    }
    expect(open).toBe(0)
  })
})
