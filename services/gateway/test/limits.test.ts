import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import type { TrustedProxies } from '@roomcast/runtime'
import { ADDRESSES_MAX, createAddressRate } from '../src/address-rate.ts'
import { clientAddresses } from '../src/client-address.ts'
import { createRoomRate } from '../src/room-rate.ts'
import { createUserConnections } from '../src/user-connections.ts'

describe('the address of a client', () => {
  const request = (remoteAddress: string, headers: Record<string, string>): IncomingMessage =>
    ({ headers, socket: { remoteAddress } }) as unknown as IncomingMessage

  it.each<[TrustedProxies, string, string | undefined, string]>([
    [[], '10.0.0.1', '203.0.113.9', '10.0.0.1'],
    [0, '10.0.0.1', '203.0.113.9', '10.0.0.1'],
    [['10.0.0.0/8'], '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    [['10.0.0.0/8'], '192.0.2.7', '203.0.113.9', '192.0.2.7'],
    // What a client made up stands left of what the first trusted proxy wrote.
    [['10.0.0.0/8'], '10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    [['10.0.0.0/8'], '10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    [1, '10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    [2, '10.0.0.1', '1.1.1.1, 203.0.113.9', '1.1.1.1'],
    [['10.0.0.0/8'], '10.0.0.1', 'nonsense', '10.0.0.1'],
    [['10.0.0.0/8'], '10.0.0.1', undefined, '10.0.0.1'],
    [['10.0.0.0/8'], '10.0.0.1', '2001:db8:1:2:3::4', '2001:db8:1:2::/64'],
  ])('trusting %j, from %s for %j, is %s', (trusted, remote, forwarded, key) => {
    const headers: Record<string, string> =
      forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    expect(clientAddresses(trusted).keyOf(request(remote, headers))).toBe(key)
  })

  it('the host is that of a trusted proxy alone', () => {
    const asked = request('10.0.0.1', { host: 'inside', 'x-forwarded-host': 'evil, chat.example' })
    expect(clientAddresses([]).hostOf(asked)).toBe('inside')
    expect(clientAddresses(['10.0.0.0/8']).hostOf(asked)).toBe('chat.example')
  })
})

describe('a rate for each address', () => {
  it('lets ten seconds’ worth through at once, then the rate', () => {
    let now = 0
    const rate = createAddressRate(2, () => now)
    expect(Array.from({ length: 20 }, () => rate?.take('a'))).toEqual(Array(20).fill(0))
    expect(rate?.take('a')).toBe(500)
    expect(rate?.take('b')).toBe(0)
    now += 500
    expect(rate?.take('a')).toBe(0)
  })

  it('remembers so many addresses and no more', () => {
    const rate = createAddressRate(1, () => 0)
    for (let i = 0; i < 10; i++) rate?.take('early')
    expect(rate?.take('early')).toBeGreaterThan(0)
    for (let i = 0; i < ADDRESSES_MAX; i++) rate?.take(`address ${i}`)
    expect(rate?.take('early')).toBe(0)
  })
})

describe('the rate of a room', () => {
  it('is kept over gateways that each see every message', () => {
    let now = 0
    const gateways = [1, 2, 3].map(() => createRoomRate(10, () => now))
    let logged = 0
    // Everybody tries all the time, for a minute; each message reaches every gateway a moment later.
    for (; now < 60_000; now += 50) {
      const writers = gateways.filter((room) => room?.take() === 0)
      for (const writer of writers) {
        logged++
        for (const room of gateways) room?.logged(1)
        writer?.settle()
      }
    }
    expect(logged).toBeGreaterThanOrEqual(690)
    expect(logged).toBeLessThanOrEqual(710)
  })

  it('holds back what is under way, and says how long', () => {
    const room = createRoomRate(1, () => 0)
    for (let i = 0; i < 10; i++) expect(room?.take()).toBe(0)
    expect(room?.take()).toBe(1_000)
    room?.settle()
    expect(room?.take()).toBe(0)
  })
})

describe('the connections of a user', () => {
  it('count once each, whatever number of rooms they are in, and are forgotten', () => {
    const users = createUserConnections(2)
    const [one, two, three] = [{}, {}, {}]
    users.add(one, 'alice')
    users.add(one, 'alice')
    users.add(two, 'alice')
    expect(users.isFull(one, 'alice')).toBe(false)
    expect(users.isFull(three, 'alice')).toBe(true)
    expect(users.isFull(three, 'bob')).toBe(false)
    users.remove(one, 'alice')
    expect(users.isFull(three, 'alice')).toBe(true)
    users.remove(one, 'alice')
    expect(users.isFull(three, 'alice')).toBe(false)
  })
})
