import { expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { createQueue } from '../../src/hooks/queue.ts'

it('what came first is done first, in whatever order the answers come', () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }),
      (answered: number[]) => {
        const queue = createQueue(8)
        const done: number[] = []
        const places = answered.map(() => queue.enter())
        for (const i of answered) places[i]?.(() => done.push(i))
        expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
      },
    ),
  )
})

it('has room for so many, and again when one is done', () => {
  const queue = createQueue(1)
  const settle = queue.enter()
  expect(() => queue.enter()).toThrow('at most 1 messages of a connection wait for leave')
  settle(() => undefined)
  expect(() => queue.enter()).not.toThrow()
})
