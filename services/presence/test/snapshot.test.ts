import { describe, expect, it } from '@jest/globals'
import { changesBetween, type Snapshot } from '../src/snapshot.ts'

const gateway = (instance: string, more: Partial<Gateway> = {}): Gateway => ({
  instance,
  pod: `pod-${instance}`,
  address: '127.0.0.1:1',
  version: '0',
  startedAt: 0,
  state: 'ready',
  connections: { websocket: 1, polling: 0 },
  members: 1,
  rooms: 1,
  ageMs: 0,
  ...more,
})
type Gateway = NonNullable<ReturnType<Snapshot['gateways']['get']>>

const stats: Snapshot['stats'] = {
  connections: 2,
  transports: { websocket: 2, polling: 0 },
  members: 2,
  rooms: 1,
  gateways: 2,
  complete: true,
}
const lobby = { room: 'lobby', online: 2, users: 2, gateways: 2 }

function snapshot(gateways: readonly Gateway[], more: Partial<Snapshot> = {}): Snapshot {
  const byInstance = new Map(gateways.map((gateway) => [gateway.instance, gateway]))
  return { stats, gateways: byInstance, rooms: { rooms: [lobby], total: 1 }, ...more }
}

const [a, b] = [gateway('a'), gateway('b')]
const before = snapshot([a, b])

describe('what changed between two looks', () => {
  it.each<[string, Snapshot, ReturnType<typeof changesBetween>]>([
    ['nothing', snapshot([gateway('a'), gateway('b')]), undefined],
    ['only the age of a report', snapshot([gateway('a', { ageMs: 900 }), b]), undefined],
    [
      'the totals',
      snapshot([a, b], { stats: { ...stats, members: 3 } }),
      { stats: { ...stats, members: 3 } },
    ],
    [
      'the state of one gateway',
      snapshot([a, gateway('b', { state: 'silent', ageMs: 2_100 })]),
      { gateways: { changed: [gateway('b', { state: 'silent', ageMs: 2_100 })], gone: [] } },
    ],
    [
      'a gateway in the place of another',
      snapshot([a, gateway('c')]),
      { gateways: { changed: [gateway('c')], gone: ['b'] } },
    ],
    [
      'a room',
      snapshot([a, b], { rooms: { rooms: [], total: 0 } }),
      { rooms: { rooms: [], total: 0 } },
    ],
  ])('%s', (_what, after, changes) => {
    expect(changesBetween(before, after)).toEqual(changes)
  })
})
