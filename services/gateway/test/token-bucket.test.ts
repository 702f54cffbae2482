import { expect, it } from '@jest/globals'
import { fullBucket, take } from '../src/token-bucket.ts'

const rate = { perSecond: 10, burst: 3 }

it('gives a burst at once, then one token each tenth of a second', () => {
  const bucket = fullBucket(rate, 0)
  expect([0, 0, 0, 0, 50, 100, 100].map((at) => take(bucket, rate, at))).toEqual([
    0, 0, 0, 100, 50, 0, 100,
  ])
})

it('saves up no more than a burst', () => {
  const bucket = fullBucket(rate, 0)
  expect([9_000, 9_000, 9_000, 9_000].map((at) => take(bucket, rate, at))).toEqual([0, 0, 0, 100])
})

it('a clock that is set back takes nothing away', () => {
  const bucket = fullBucket(rate, 1_000)
  expect(take(bucket, rate, 0)).toBe(0)
  expect(take(bucket, rate, 0)).toBe(0)
})
