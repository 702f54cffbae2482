import { expect, it } from '@jest/globals'
import { createOvertakenPolls } from '../src/overtaken-polls.ts'

const open = { writableEnded: false }
const answered = { writableEnded: true }

it('a poll that was overtaken by the close is told once, and not for long', () => {
  const polls = createOvertakenPolls()
  const connection = {}
  polls.arrived(connection, 'POST', open)
  polls.closed(connection, 'a', 0)
  polls.closed({}, 'b', 0)
  expect(polls.take('a', 999)).toBe(true)
  expect(polls.take('a', 999)).toBe(false)
  expect(polls.take('b', 1_000)).toBe(false)
  expect(polls.take('c', 0)).toBe(false)
})

it.each([
  ['was answered before the close arrived, another one is expected', answered, true],
  ['was open when the close arrived, no other is expected', open, false],
])('where the last poll %s', (_name, poll, isExpected) => {
  const polls = createOvertakenPolls()
  const connection = {}
  polls.arrived(connection, 'GET', poll)
  polls.arrived(connection, 'POST', open)
  polls.closed(connection, 'a', 0)
  expect(polls.take('a', 1)).toBe(isExpected)
})

it('a poll that came while the close was being read is the last', () => {
  const polls = createOvertakenPolls()
  const connection = {}
  polls.arrived(connection, 'GET', answered)
  polls.arrived(connection, 'POST', open)
  polls.arrived(connection, 'GET', open)
  polls.closed(connection, 'a', 0)
  expect(polls.take('a', 1)).toBe(false)
})

it('forgets the oldest beyond its bound', () => {
  const polls = createOvertakenPolls()
  for (let i = 0; i <= 1_000; i++) polls.closed({}, String(i), 0)
  expect(polls.take('0', 1)).toBe(false)
  expect(polls.take('1', 1)).toBe(true)
})
