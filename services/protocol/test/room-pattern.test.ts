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
  ['a.c', 'abc', false],
])('%j takes %j: %j', (pattern, room, isTaken) => expect(matchesRoom(pattern, room)).toBe(isTaken))

it('agrees with the regular expression of the same meaning', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  fc.assert(
    fc.property(text, text, (pattern, room) => {
      const same = new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 's')
      expect(matchesRoom(pattern, room)).toBe(same.test(room))
    }),
  )
})

it('is done in no time with a pattern that is made to last', () => {
  const room = 'a'.repeat(128)
  expect(matchesRoom(`${'*a'.repeat(60)}*b`, room)).toBe(false)
})
