import { describe, expect, it } from '@jest/globals'
import { hasCookie } from '../src/handshakes.ts'
import { NOBODY_PINNED, sendAway, unpin, type Pinned } from '../src/shed.ts'

describe('who was sent away and is pinned', () => {
  /** How many of `clients` that come at `now` are turned away. */
  const turnedAway = (from: Pinned, clients: number, now: number): number => {
    let pinned: Pinned | undefined = from
    for (let n = 0; n < clients; n++) {
      pinned = unpin(pinned, now)
      if (pinned === undefined) return n
    }
    return clients
  }

  it('is turned away once: as many as were sent away, and nobody before', () => {
    expect(turnedAway(NOBODY_PINNED, 5, 0)).toBe(0)
    expect(turnedAway(sendAway(NOBODY_PINNED, 3, 1_000), 5, 2_000)).toBe(3)
  })

  it('adds up over the ticks of one time, and is forgotten when nobody came back', () => {
    const twice = sendAway(sendAway(NOBODY_PINNED, 3, 1_000), 2, 5_000)
    expect(turnedAway(twice, 9, 6_000)).toBe(5)
    expect(turnedAway(twice, 9, 15_000)).toBe(0)
    expect(turnedAway(sendAway(twice, 1, 60_000), 9, 60_001)).toBe(1)
  })
})

it.each([
  [undefined, false],
  ['', false],
  ['roomcast=abc', true],
  ['a=b; roomcast=abc; c=d', true],
  ['roomcast=', false],
  ['roomcast', false],
  ['xroomcast=abc; roomcastx=abc', false],
])('the header %j has the cookie: %j', (header, has) => {
  expect(hasCookie(header, 'roomcast')).toBe(has)
})
