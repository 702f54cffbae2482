import { describe, expect, it } from '@jest/globals'
import { OWNER_SILENT_MS } from '@roomcast/roomlog'
import { look, NOTHING_WATCHED } from '../src/lost-gateways.ts'

const graceMs = 5_000
const silent = (owner: string) => ({ owner, silentMs: OWNER_SILENT_MS })

describe('a gateway is lost', () => {
  /** Who is lost at each look of these: when, who lives, and what the store says of one gateway, `a`. */
  const lostAt = (
    looks: readonly (readonly [now: number, living: readonly string[], silentMs?: number])[],
    grace = graceMs,
  ): (readonly string[])[] => {
    let watch = NOTHING_WATCHED
    return looks.map(([now, living, silentMs = OWNER_SILENT_MS]) => {
      const owners = [{ owner: 'a', silentMs }]
      const seen = { owners, living: new Set(living), graceMs: grace }
      const looked = look(watch, seen, now)
      watch = looked.watch
      return looked.lost
    })
  }

  it.each<[string, Parameters<typeof lostAt>[0], string[][]]>([
    [
      'not while it lives',
      [
        [0, ['a']],
        [9_000, ['a']],
      ],
      [[], []],
    ],
    [
      'when it was missing for the grace',
      [
        [0, []],
        [2_000, []],
        [4_000, []],
        [5_000, []],
      ],
      [[], [], [], ['a']],
    ],
    [
      'not when it came back meanwhile',
      [
        [0, []],
        [2_000, ['a']],
        [4_000, []],
        [6_000, []],
        [8_000, []],
      ],
      [[], [], [], [], []],
    ],
    [
      'not while the store hears it',
      [
        [0, []],
        [2_000, [], 10],
        [4_000, [], 500],
        [6_000, [], 900],
      ],
      [[], [], [], []],
    ],
    [
      'and again as long as it is named',
      [
        [0, []],
        [2_500, []],
        [5_000, []],
        [6_000, []],
      ],
      [[], [], ['a'], ['a']],
    ],
    [
      'not by what was seen long ago',
      [
        [0, []],
        [9_000, []],
      ],
      [[], []],
    ],
  ])('%s', (_what, looks, lost) => expect(lostAt(looks)).toEqual(lost))

  it('at once without a grace', () => expect(lostAt([[0, []]], 0)).toEqual([['a']]))

  it('by itself, whatever becomes of the others', () => {
    const owners = ['a', 'b', 'c'].map(silent)
    const first = look(NOTHING_WATCHED, { owners, living: new Set(['b', 'c']), graceMs }, 0)
    const then = look(first.watch, { owners, living: new Set(['b']), graceMs }, 2_500)
    const last = look(then.watch, { owners, living: new Set(['b']), graceMs }, 5_000)
    expect(last.lost).toEqual(['a'])
  })
})
