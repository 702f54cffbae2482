import { expect, it } from '@jest/globals'
import { restAfter } from '../src/pacing.ts'

it.each([
  // [what the round took, rest, cap, what the room rests]
  [0, 8, 25, 0],
  [0.05, 8, 25, 0.4],
  [1, 8, 25, 8],
  [3.125, 8, 25, 25],
  [5, 8, 25, 25],
  [5, 8, 100, 40],
  // Longer than the cap: what it is over is taken off, down to an eighth.
  [25, 8, 25, 25],
  [35, 8, 25, 15],
  [48, 8, 25, 6],
  [80, 8, 25, 10],
  [400, 8, 25, 25],
  [5, 0, 25, 0],
  [5, 8, 0, 0],
  // A clock that was set back.
  [-1, 8, 25, 0],
])(
  'a round of %d ms, rest %d, at most %d ms: the room rests %d ms',
  (cost, rest, cap, expected) => {
    expect(restAfter(cost, { rest, maxDelayMs: cap })).toBeCloseTo(expected, 9)
  },
)
