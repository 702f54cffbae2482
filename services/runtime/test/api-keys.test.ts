import { describe, expect, it } from '@jest/globals'
import { createApiKeys, mayUseRoom, parseKeys, SCOPES, SecretsFault } from '@roomcast/runtime'

const A = 'key-of-a-long-enough'
const B = 'key-of-b-long-enough'

describe('a text with keys', () => {
  it('is a plain list, whose keys may do everything', () => {
    const keys = parseKeys(` ${A}, ${B}\n\n`)
    expect(keys).toEqual([
      { id: 'key-1', key: A, scopes: SCOPES },
      { id: 'key-2', key: B, scopes: SCOPES },
    ])
  })

  it('or a JSON list, whose keys may do what it says', () => {
    const entries = [
      { id: 'backend', key: A, scopes: ['publish', 'read'], rooms: ['team-*', 'lobby'] },
      { id: 'dashboard', key: B, scopes: ['stats'] },
    ]
    expect(parseKeys(JSON.stringify(entries))).toEqual(entries)
  })

  it.each([
    ['', 'must have at least one key'],
    ['short', 'key 1: each key needs 16 to 1024'],
    [`${A},${A}`, 'a key is there twice'],
    ['[', 'is not valid JSON'],
    ['[]', 'must have at least one key'],
    [JSON.stringify([{ id: 'a', key: A }]), 'key 1: scopes must be a list'],
    [JSON.stringify([{ id: 'a', key: A, scopes: [] }]), 'key 1: scopes must name at least one'],
    [JSON.stringify([{ id: 'a', key: A, scopes: ['all'] }]), 'key 1: scopes must be among publish'],
    [JSON.stringify([{ id: 'a b', key: A, scopes: ['read'] }]), 'key 1: id must be 1 to 64'],
    [
      JSON.stringify([{ id: 'a', key: A, scopes: ['read'], room: 'x' }]),
      'key 1: has a field beyond',
    ],
    [JSON.stringify([A, B]), 'key 1: '],
    [
      JSON.stringify([A, B].map((key) => ({ id: 'a', key, scopes: ['read'] }))),
      'two keys have the same id',
    ],
  ])('%j is refused in words that do not repeat a key', (text, words) => {
    let fault: unknown
    try {
      parseKeys(text)
    } catch (error) {
      fault = error
    }
    expect(fault).toBeInstanceOf(SecretsFault)
    const { message } = fault as SecretsFault
    expect(message).toContain(words)
    expect(message).not.toMatch(/long-enough|short/)
  })
})

it('a key is found by the whole of itself alone, and says for which rooms it is', () => {
  const keys = createApiKeys(
    parseKeys(JSON.stringify([{ id: 'a', key: A, scopes: ['read'], rooms: ['team-*'] }])),
  )
  expect(keys.find(A)).toMatchObject({ id: 'a', scopes: new Set(['read']) })
  for (const other of [B, A.slice(1), `${A}x`, A.toUpperCase(), '']) {
    expect(keys.find(other)).toBeUndefined()
  }
  expect(JSON.stringify(keys.find(A))).not.toContain(A)
  expect(mayUseRoom({ rooms: ['team-*'] }, 'team-1')).toBe(true)
  expect(mayUseRoom({ rooms: ['team-*'] }, 'lobby')).toBe(false)
  expect(mayUseRoom({}, 'lobby')).toBe(true)
})
