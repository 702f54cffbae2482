import { expect, it } from '@jest/globals'
import { codesOf, countRefusals, type RefusedSay } from '../chaos/refusals.ts'

const AWAY = 'the room log can not be reached right now'
const SILENT = 'the room log did not answer; send it again with the same id'
const refused = (code: RefusedSay['code'], message: string, at: number): RefusedSay => ({
  code,
  message,
  at,
})

it('counts refusals by code and message, with the first and the last moment of each', () => {
  const refusals = [
    refused('unavailable', SILENT, 70),
    refused('unavailable', AWAY, 50),
    refused('not_joined', 'join the room first', 10),
    refused('unavailable', AWAY, 20),
    refused('unavailable', AWAY, 90),
    refused('unavailable', SILENT, 60),
  ]
  expect(countRefusals(refusals)).toEqual([
    { code: 'unavailable', message: AWAY, count: 3, firstAt: 20, lastAt: 90 },
    { code: 'unavailable', message: SILENT, count: 2, firstAt: 60, lastAt: 70 },
    { code: 'not_joined', message: 'join the room first', count: 1, firstAt: 10, lastAt: 10 },
  ])
  expect(codesOf(refusals)).toBe('unavailable 5, not_joined 1')
})

it('says nothing where nothing was refused', () => {
  expect(countRefusals([])).toEqual([])
  expect(codesOf([])).toBe('')
})
