import { describe, expect, it } from '@jest/globals'
import { COUNT_INTERVAL_MS, RoomId } from '@roomcast/protocol'
import { CountFeed } from '../src/counts.ts'

const lobby = RoomId.parse('lobby')
const attic = RoomId.parse('attic')

describe('the counts to tell', () => {
  it('are told of a first change at once, and of what follows within the interval once, at its end', () => {
    const feed = new CountFeed()
    feed.changed(lobby)
    expect(feed.take(0, () => 1)).toEqual([lobby])
    feed.changed(lobby)
    expect(feed.take(50, () => 2)).toEqual([])
    feed.changed(lobby)
    expect(feed.take(COUNT_INTERVAL_MS - 1, () => 3)).toEqual([])
    expect(feed.take(COUNT_INTERVAL_MS, () => 4)).toEqual([lobby])
    expect(feed.take(2 * COUNT_INTERVAL_MS, () => 4)).toEqual([])
  })

  it('do not make one room wait for another', () => {
    const feed = new CountFeed()
    feed.changed(lobby)
    feed.take(0, () => 1)
    feed.changed(lobby)
    feed.changed(attic)
    expect(feed.take(50, () => 7)).toEqual([attic])
    expect(feed.take(COUNT_INTERVAL_MS, () => 8)).toEqual([lobby])
  })

  it('leave out a room whose count is what it was, and one that is no more', () => {
    const feed = new CountFeed()
    feed.changed(lobby)
    feed.take(0, () => 5)
    feed.changed(lobby)
    expect(feed.take(COUNT_INTERVAL_MS, () => 5)).toEqual([])
    feed.changed(attic)
    expect(feed.take(COUNT_INTERVAL_MS, () => undefined)).toEqual([])
  })
})
