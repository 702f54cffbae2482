import { expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { matchesRoom } from '../src/room-pattern.ts'

it.each([
  ['lobby', 'lobby', true],
  ['lobby', 'lobby2', false],
  ['*', 'anything/at all', true],
  ['team-*', 'team-', true],
  ['team-*', 'a-team-', false],
  ['*-team', 'a-team', true],
  ['*-team', 'a-team-', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'acb', false],
  ['ab*ba', 'aba', false],
  ['a**b', 'ab', true],
  ['*a*a*', 'a', false],
  ['lobby', 'lobb', false],
  ['lobby', 'Lobby', false],
  ['team-*', 'team-7', true],
  ['team-*', 'steam-7', false],
  ['*-ops', 'night-ops', true],
  ['*-ops', 'night-opsy', false],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['*', 'anything at all', true],
  ['a*b*c', 'a-c', false],
  ['a*b*c', 'abcab', false],
  // Characters of regular expressions are themselves.
  ['a.c', 'abc', false],
  ['(a+)+$', '(a+)+$', true],
])('%j takes %j: %j', (pattern, room, isTaken) => expect(matchesRoom(pattern, room)).toBe(isTaken))

it('agrees with the regular expression of the same meaning', () => {
  const written = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), maxLength: 12 })
  fc.assert(
    fc.property(written, text, (pattern, room) => {
      const same = new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 's')
      expect(matchesRoom(pattern, room)).toBe(same.test(room))
    }),
    { numRuns: 2_000 },
  )
})

it('is done in no time with a pattern that is made to last', () => {
  const room = 'a'.repeat(128)
  const startedAt = performance.now()
  expect(matchesRoom(`${'*a'.repeat(60)}*b`, room)).toBe(false)
  expect(matchesRoom(`${'a*'.repeat(127)}b`, room)).toBe(false)
  expect(performance.now() - startedAt).toBeLessThan(50)
})
