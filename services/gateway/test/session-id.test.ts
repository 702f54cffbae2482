import { expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { createSessionIds } from '../src/session-id.ts'

const instance = fc.stringMatching(/^[\w-]{1,32}$/)
const key = fc.string({ minLength: 1 })

it('an id names the gateway that made it, to every gateway with the same key', () => {
  fc.assert(
    fc.property(instance, instance, key, (owner, reader, k) => {
      const sid = createSessionIds(owner, () => [k]).create()
      expect(createSessionIds(reader, () => [k]).ownerOf(sid)).toBe(owner)
      expect(encodeURIComponent(sid)).toBe(sid)
    }),
  )
})

it('an id under another key, or changed in any place, names nobody', () => {
  const ids = createSessionIds('gateway-1', () => ['key'])
  fc.assert(
    fc.property(fc.nat({ max: 200 }), fc.constantFrom('a', 'B', '7', '_', '.'), (at, char) => {
      const sid = ids.create()
      expect(createSessionIds('gateway-1', () => ['another']).ownerOf(sid)).toBeUndefined()
      const i = at % sid.length
      const changed = sid.slice(0, i) + char + sid.slice(i + 1)
      if (changed !== sid) expect(ids.ownerOf(changed)).toBeUndefined()
    }),
  )
})

it('an id outlives the replacement of the key, for as long as the old one is known', () => {
  const sid = createSessionIds('gateway-1', () => ['old']).create()
  expect(createSessionIds('gateway-2', () => ['new', 'old']).ownerOf(sid)).toBe('gateway-1')
  expect(createSessionIds('gateway-2', () => ['new']).ownerOf(sid)).toBeUndefined()
})

it.each([
  '',
  '.',
  '..',
  'abc',
  'a.b.c',
  `${'x'.repeat(1_000)}.b.c`,
  'a.gateway-1.',
  '__proto__.gateway-1.x',
])('%j names nobody', (sid) =>
  expect(createSessionIds('gateway-1', () => ['key']).ownerOf(sid)).toBeUndefined(),
)

it('ids are never given twice', () => {
  const ids = createSessionIds('gateway-1', () => ['key'])
  expect(new Set(Array.from({ length: 1_000 }, () => ids.create())).size).toBe(1_000)
})
