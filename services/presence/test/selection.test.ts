import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { firstOf } from '../src/selection.ts'

describe('the first of an order', () => {
  it('are those that sorting everything would give', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.nat(25), (items, limit) => {
        const sorted = items.map((item, i) => ({ item, i })).sort((a, b) => a.item - b.item)
        const first = firstOf(
          items.map((item, i) => ({ item, i })),
          limit,
          (a, b) => a.item - b.item,
        )
        expect(first).toEqual(sorted.slice(0, limit))
      }),
    )
  })
})
