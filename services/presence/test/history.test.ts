import { describe, expect, it } from '@jest/globals'
import type { HistoryRange } from '@roomcast/protocol'
import { History } from '../src/history.ts'

/** Far from 1970, at the beginning of a step of every range. */
const START = 1_800_000_000_000

const sample = (n: number) => ({ connections: n, members: 2 * n, rooms: 3 * n, gateways: 4 * n })

/** A history with these numbers, by seconds after the start. */
function historyOf(numbers: readonly (readonly [number, number])[]): History {
  const history = new History()
  for (const [second, n] of numbers) history.record(sample(n), START + 1_000 * second)
  return history
}

describe('history', () => {
  it('is empty before the first sample', () => {
    expect(new History().read('5m', START)).toMatchObject({ connections: [], gateways: [] })
  })

  it('keeps every total', () => {
    expect(historyOf([[0, 1]]).read('5m', START)).toEqual({
      range: '5m',
      stepMs: 1_000,
      lengthMs: 300_000,
      startMs: START,
      connections: [1],
      members: [2],
      rooms: [3],
      gateways: [4],
    })
  })

  it.each<[string, HistoryRange, [number, number][], number, number, (number | null)[]]>([
    ['begins with the first sample', '5m', [[3, 7]], 5, 3, [7, null, null]],
    [
      'ends with the step of now',
      '5m',
      [
        [0, 1],
        [1, 2],
      ],
      1,
      0,
      [1, 2],
    ],
    [
      'shows a hole where nothing was recorded',
      '5m',
      [
        [0, 1],
        [3, 4],
      ],
      3,
      0,
      [1, null, null, 4],
    ],
    [
      'keeps the highest of a step',
      '2h',
      [
        [0, 1],
        [4, 9],
        [9, 3],
        [10, 5],
      ],
      12,
      0,
      [9, 5],
    ],
    [
      'has a point a minute for a day',
      '24h',
      [
        [0, 1],
        [59, 2],
        [60, 3],
      ],
      130,
      0,
      [2, 3, null],
    ],
    [
      'forgets what is older than the range',
      '5m',
      [
        [0, 1],
        [10, 2],
        [309, 3],
      ],
      309,
      10,
      [2, ...Array.from({ length: 298 }, () => null), 3],
    ],
    [
      'does not take an old sample in the same slot for a new one',
      '5m',
      [
        [0, 1],
        [301, 2],
      ],
      302,
      301,
      [2, null],
    ],
    ['has nothing once all is too old', '5m', [[0, 1]], 300, 301, []],
    [
      'goes on when the clock was set back',
      '5m',
      [
        [5, 9],
        [4, 1],
        [5, 2],
      ],
      5,
      4,
      [1, 9],
    ],
  ])('%s', (_what, range, numbers, nowSecond, firstSecond, points) => {
    const view = historyOf(numbers).read(range, START + 1_000 * nowSecond)
    expect(view.connections).toEqual(points)
    expect(view.startMs).toBe(START + 1_000 * firstSecond)
  })

  it('holds a whole range and no more', () => {
    const history = historyOf(Array.from({ length: 90_000 }, (_, i) => [i, i]))
    const now = START + 89_999_000
    const sizes = (['5m', '2h', '24h'] as const).map(
      (range) => history.read(range, now).rooms.length,
    )
    expect(sizes).toEqual([300, 720, 1_440])
    expect(history.read('5m', now).connections.at(-1)).toBe(89_999)
    expect(history.read('24h', now).connections[0]).toBe(3_659)
  })
})
