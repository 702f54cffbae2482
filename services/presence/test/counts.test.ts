import { describe, expect, it } from '@jest/globals'
import { COUNT_INTERVAL_MS, RoomId } from '@roomcast/protocol'
import { CountFeed } from '../src/counts.ts'

const lobby = RoomId.parse('lobby')
const attic = RoomId.parse('attic')

describe('the counts that a gateway is owed', () => {
  it('tells a first change at once, and what follows within the interval once, at its end, in its newest form', () => {
    const feed = new CountFeed()
    feed.changed(lobby)
    expect(feed.take(0, () => 1)).toEqual([[lobby, 1]])
    feed.changed(lobby)
    expect(feed.take(50, () => 2)).toEqual([])
    feed.changed(lobby)
    expect(feed.take(COUNT_INTERVAL_MS - 1, () => 3)).toEqual([])
    expect(feed.take(COUNT_INTERVAL_MS, () => 4)).toEqual([[lobby, 4]])
    expect(feed.take(2 * COUNT_INTERVAL_MS, () => 4)).toEqual([])
  })

  it('does not make one room wait for another', () => {
    const feed = new CountFeed()
    feed.changed(lobby)
    feed.take(0, () => 1)
    feed.changed(lobby)
    feed.changed(attic)
    expect(feed.take(50, () => 7)).toEqual([[attic, 7]])
    expect(feed.take(COUNT_INTERVAL_MS, () => 8)).toEqual([[lobby, 8]])
  })

  it('says nothing when a count is what it was, except to a gateway that came back to the room', () => {
    const feed = new CountFeed()
    feed.changed(lobby)
    feed.take(0, () => 5)
    feed.changed(lobby)
    expect(feed.take(COUNT_INTERVAL_MS, () => 5)).toEqual([])
    feed.changed(lobby)
    feed.take(2 * COUNT_INTERVAL_MS, () => 5)
    feed.entered(lobby)
    expect(feed.take(3 * COUNT_INTERVAL_MS, () => 5)).toEqual([[lobby, 5]])
  })

  it('says nothing of a room that the gateway has left', () => {
    const feed = new CountFeed()
    feed.changed(lobby)
    expect(feed.take(0, () => undefined)).toEqual([])
  })
})
