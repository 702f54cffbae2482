import { describe, expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import { assert, constantFrom, property, string } from 'fast-check'
import { fits, rightsOf } from '../../src/auth/room-rights.ts'

describe('a pattern', () => {
  it.each([
    ['lobby', 'lobby', true],
    ['lobby', 'lobb', false],
    ['lobby', 'Lobby', false],
    ['team-*', 'team-', true],
    ['team-*', 'team-7', true],
    ['team-*', 'steam-7', false],
    ['*-ops', 'night-ops', true],
    ['*-ops', 'night-opsy', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*', 'anything at all', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c', false],
    ['a*b*c', 'abcab', false],
    // Characters of regular expressions are themselves.
    ['a.c', 'abc', false],
    ['(a+)+$', '(a+)+$', true],
  ])('%s and the room %s: %s', (pattern, room, isFitting) => {
    expect(fits(room, pattern)).toBe(isFitting)
  })

  it('fits what a regular expression with .* in place of each star does', () => {
    const text = string({ unit: constantFrom('a', 'b', '-'), maxLength: 12 })
    const pattern = string({ unit: constantFrom('a', 'b', '*'), maxLength: 8 })
    assert(
      property(text, pattern, (room, written) => {
        const expression = new RegExp(`^${written.replaceAll('*', '.*')}$`, 's')
        expect(fits(room, written)).toBe(expression.test(room))
      }),
      { numRuns: 2_000 },
    )
  })

  it('of the worst kind costs little', () => {
    const startedAt = performance.now()
    fits('a'.repeat(128), `${'a*'.repeat(127)}b`)
    expect(performance.now() - startedAt).toBeLessThan(50)
  })
})

it('rights of several rules add up, and a room that fits none has none', () => {
  const { mayRead, mayWrite } = rightsOf([
    { pattern: 'team-*', read: true, write: false },
    { pattern: 'team-7', read: false, write: true },
  ])
  const [seven, eight, lobby] = ['team-7', 'team-8', 'lobby'].map((id) => RoomId.parse(id))
  if (seven === undefined || eight === undefined || lobby === undefined) throw new Error('no ids')
  expect([mayRead(seven), mayWrite(seven)]).toEqual([true, true])
  expect([mayRead(eight), mayWrite(eight)]).toEqual([true, false])
  expect([mayRead(lobby), mayWrite(lobby)]).toEqual([false, false])
  expect(mayWrite(seven)).toBe(true)
})
