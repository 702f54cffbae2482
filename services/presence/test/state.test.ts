import { describe, expect, it } from '@jest/globals'
import {
  RoomId,
  type GatewayInfo,
  type GatewayToPresence,
  type ReportedMember,
} from '@roomcast/protocol'
import { apply, createState, type Effects } from '../src/state.ts'
import { busiestRooms, membersOf, roomOf, statsOf } from '../src/views.ts'

const LEASE_MS = 3_000
const lobby = RoomId.parse('lobby')
const attic = RoomId.parse('attic')

function infoOf(instance: string): GatewayInfo {
  return { instance, pod: `pod-${instance}`, address: '127.0.0.1:1', version: '0', startedAt: 0 }
}

function memberOf(sid: string, more: Partial<ReportedMember> = {}): ReportedMember {
  return { sid, room: lobby, name: sid, since: 0, generation: 0, ...more }
}

const totals = { connections: { websocket: 0, polling: 0 }, draining: false }

/** A replica whose time is set by hand. */
function replica({ warmupMs = 0 } = {}) {
  let now = 1_000_000
  const state = createState({ leaseMs: LEASE_MS, warmupMs }, now)
  const frame = (link: number, frame: GatewayToPresence): Effects =>
    apply(state, { t: 'frame', link, frame }, now)
  return {
    state,
    frame,
    hello: (link: number, instance: string) =>
      frame(link, { t: 'hello', v: 1, ...infoOf(instance) }),
    whole: (link: number, n: number, ...members: ReportedMember[]) =>
      frame(link, { t: 'state', n, part: 0, last: true, members, ...totals }),
    part: (link: number, n: number, part: number, last: boolean, ...members: ReportedMember[]) =>
      frame(link, { t: 'state', n, part, last, members, ...totals }),
    diff: (link: number, n: number, joined: ReportedMember[], left: string[] = []) =>
      frame(link, { t: 'diff', n, joined, left, ...totals }),
    beat: (link: number, n: number) => frame(link, { t: 'beat', n }),
    closed: (link: number) => apply(state, { t: 'closed', link }, now),
    /** Lets time pass as it does for a process that is awake. */
    pass: (ms: number): Effects[] => {
      const effects: Effects[] = []
      for (let left = ms; left > 0; left -= 500) {
        now += Math.min(left, 500)
        effects.push(apply(state, { t: 'tick' }, now))
      }
      return effects
    },
    /** Lets time pass as it does for a process that has much to read: no tick comes. */
    read: (ms: number): void => void (now += ms),
    jump: (ms: number): Effects => apply(state, { t: 'tick' }, (now += ms)),
    online: (room = lobby) => roomOf(state, room).online,
  }
}

describe('members', () => {
  it('of several gateways are counted together, names once a room', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1', { name: 'alice' }), memberOf('s2', { room: attic }))
    r.hello(2, 'b')
    r.whole(2, 0, memberOf('s3', { name: 'alice' }))
    expect(roomOf(r.state, lobby)).toEqual({ room: lobby, online: 2, users: 1, gateways: 2 })
    expect(statsOf(r.state)).toMatchObject({ members: 3, rooms: 2, gateways: 2 })
  })

  it('join and leave by diffs, which say what changed', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    const effects = r.diff(1, 1, [memberOf('s2'), memberOf('s3', { room: attic })], ['s1'])
    expect([...effects.counted].sort()).toEqual([attic, lobby])
    expect([r.online(), r.online(attic)]).toEqual([1, 1])
    expect(r.diff(1, 2, [], ['s2', 'never-seen']).resend).toBe(false)
    expect(r.online()).toBe(0)
    expect(statsOf(r.state)).toMatchObject({ members: 1, rooms: 1 })
  })

  it.each([
    ['the higher generation', { generation: 1 }, { generation: 2 }, 'pod-b'],
    ['the higher generation, reported first', { generation: 2 }, { generation: 1 }, 'pod-a'],
    ['the later', { since: 5 }, { since: 6 }, 'pod-b'],
    ['the later, reported first', { since: 6 }, { since: 5 }, 'pod-a'],
  ])('of one sid on two gateways count once: %s', (_what, first, second, pod) => {
    const r = replica()
    r.hello(1, 'a')
    r.hello(2, 'b')
    r.whole(1, 0, memberOf('s', first))
    r.whole(2, 0, memberOf('s', second))
    expect(r.online()).toBe(1)
    expect(membersOf(r.state, lobby, { limit: 9 }).members).toMatchObject([{ gateway: pod }])
  })

  it('count by the other report when the winning one is gone', () => {
    const r = replica()
    for (const [link, instance] of [
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ] as const) {
      r.hello(link, instance)
      r.whole(link, 0, memberOf('s', { generation: link, room: link === 3 ? attic : lobby }))
    }
    expect([r.online(), r.online(attic)]).toEqual([0, 1])
    expect(statsOf(r.state)).toMatchObject({ members: 1, rooms: 1 })
    r.closed(1)
    expect(r.online(attic)).toBe(1)
    r.closed(3)
    expect([r.online(), r.online(attic)]).toEqual([1, 0])
    r.diff(2, 1, [], ['s'])
    expect(statsOf(r.state)).toMatchObject({ members: 0, rooms: 0 })
    expect(r.state.roster.rooms.size).toBe(0)
  })

  it('are listed by name with their connections, who is there for longest first, up to a limit', () => {
    const r = replica()
    r.hello(1, 'a')
    r.hello(2, 'b')
    r.whole(1, 0, memberOf('s1', { name: 'alice', since: 9 }), memberOf('s2', { since: 7 }))
    r.whole(2, 0, memberOf('s3', { name: 'alice', since: 3 }), memberOf('s4', { since: 7 }))
    const counts = { room: lobby, online: 4, users: 3 }
    expect(membersOf(r.state, lobby, { limit: 3 })).toEqual({
      ...counts,
      members: [
        { name: 'alice', since: 3, gateway: 'pod-b', connections: 2 },
        { name: 's2', since: 7, gateway: 'pod-a', connections: 1 },
        { name: 's4', since: 7, gateway: 'pod-b', connections: 1 },
      ],
    })
    expect(membersOf(r.state, lobby, { limit: 2 })).toEqual(counts)
    expect(membersOf(r.state, attic, { limit: 2 })).toEqual({
      room: attic,
      online: 0,
      users: 0,
      members: [],
    })
  })
})

describe('rooms', () => {
  it('are listed by members, then by id, and searched whatever the case', () => {
    const r = replica()
    const rooms = ['b', 'a', 'Big', 'Big', 'bigger', 'bigger', 'bigger']
    r.hello(1, 'a')
    r.whole(1, 0, ...rooms.map((room, i) => memberOf(`s${i}`, { room: RoomId.parse(room) })))
    const ids = (limit: number, search?: string): string[] =>
      busiestRooms(r.state, { limit, search }).rooms.map(({ room }) => room)
    expect(ids(9)).toEqual(['bigger', 'Big', 'a', 'b'])
    expect(ids(9, 'BIG')).toEqual(['bigger', 'Big'])
    expect(busiestRooms(r.state, { limit: 1, search: 'b' })).toMatchObject({ total: 3 })
  })
})

describe('a state', () => {
  it('in parts replaces everything when its last part is there', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('old'), memberOf('kept'))
    r.part(1, 0, 0, false, memberOf('kept'), memberOf('new1'))
    expect(membersOf(r.state, lobby, { limit: 9 }).members).toHaveLength(2)
    r.part(1, 0, 1, true, memberOf('new2'))
    const { members } = membersOf(r.state, lobby, { limit: 9 })
    expect(members?.map(({ name }) => name).sort()).toEqual(['kept', 'new1', 'new2'])
    expect(r.diff(1, 1, [memberOf('new3')]).resend).toBe(false)
    expect(r.online()).toBe(4)
  })

  it('whose part is missing is asked for again', () => {
    const r = replica()
    r.hello(1, 'a')
    r.part(1, 0, 0, false, memberOf('s1'))
    expect(r.part(1, 0, 2, true, memberOf('s3')).resend).toBe(true)
    expect(r.online()).toBe(0)
    expect(r.whole(1, 0, memberOf('s1')).resend).toBe(false)
    expect(r.online()).toBe(1)
  })

  it('tells its gateway of every room in it, also of those that did not change', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    r.hello(2, 'a')
    const effects = r.whole(2, 0, memberOf('s1'))
    expect([...effects.counted]).toEqual([])
    expect([...effects.entered]).toEqual([lobby])
  })
})

describe('a gap', () => {
  it('in the numbers of diffs asks for the state, once, and until then nothing counts', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 4, memberOf('s1'))
    expect(r.diff(1, 6, [memberOf('s3')]).resend).toBe(true)
    expect(r.diff(1, 7, [memberOf('s4')]).resend).toBe(false)
    expect(r.beat(1, 7).resend).toBe(false)
    expect(r.online()).toBe(1)
    r.whole(1, 7, memberOf('s1'), memberOf('s3'), memberOf('s4'))
    expect(r.online()).toBe(3)
    expect(r.beat(1, 7).resend).toBe(false)
  })

  it.each([
    ['a diff', (r: ReturnType<typeof replica>) => r.diff(1, 1, [])],
    ['a beat', (r: ReturnType<typeof replica>) => r.beat(1, 0)],
  ])('before the first state: %s asks for it', (_what, report) => {
    const r = replica()
    r.hello(1, 'a')
    expect(report(r).resend).toBe(true)
  })

  it('that nothing follows is asked for again after a lease', () => {
    const r = replica()
    r.hello(1, 'a')
    const asked = Array.from({ length: 5 }, () => {
      r.pass(1_000)
      return r.beat(1, 0).resend
    })
    expect(asked).toEqual([true, false, false, true, false])
  })

  it('in a beat is a gap too', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0)
    expect(r.beat(1, 1).resend).toBe(true)
  })
})

describe('a gateway', () => {
  it('is listed from its hello on', () => {
    const r = replica()
    expect(r.hello(1, 'a').hasNewGateways).toBe(true)
    expect(r.whole(1, 0).hasNewGateways).toBe(false)
  })

  it('is gone at once when its connection closes, or when it says bye', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    r.hello(2, 'b')
    r.whole(2, 0, memberOf('s2'))
    const closed = r.closed(1)
    expect([closed.hasNewGateways, [...closed.counted]]).toEqual([true, [lobby]])
    const bye = r.frame(2, { t: 'bye' })
    expect([bye.hasNewGateways, [...bye.counted]]).toEqual([true, [lobby]])
    expect(r.closed(2).hasNewGateways).toBe(false)
    expect(statsOf(r.state)).toMatchObject({ gateways: 0, members: 0, rooms: 0 })
  })

  it('is forgotten when its lease runs out, and asked for its state when it speaks again', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    const before = r.pass(LEASE_MS - 500)
    expect(before.flatMap(({ expired }) => expired)).toEqual([])
    expect(r.pass(500)[0]?.expired).toEqual([infoOf('a')])
    expect(r.online()).toBe(0)
    const back = r.beat(1, 0)
    expect([back.resend, back.hasNewGateways]).toEqual([true, true])
    r.whole(1, 0, memberOf('s1'))
    expect(r.online()).toBe(1)
  })

  it('lives on beats', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    for (let i = 0; i < 10; i++) {
      expect(r.pass(1_000).flatMap(({ expired }) => expired)).toEqual([])
      r.beat(1, 0)
    }
    expect(r.online()).toBe(1)
  })

  it('is not taken for silent because this process slept or the clock was set', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    expect(r.jump(3_600_000).expired).toEqual([])
    r.beat(1, 0)
    expect(r.jump(-7_200_000).expired).toEqual([])
    r.beat(1, 0)
    r.pass(LEASE_MS)
    expect(r.online()).toBe(0)
  })

  it('is not taken for silent while the words of others are read', () => {
    const r = replica()
    r.hello(1, 'a')
    r.hello(2, 'b')
    for (let part = 0; part < 10; part++) {
      r.read(LEASE_MS)
      r.part(2, 0, part, part === 9, memberOf(`s${part}`))
    }
    expect(r.pass(1).flatMap(({ expired }) => expired)).toEqual([])
    expect(r.state.gateways.size).toBe(2)
  })

  it('that reconnects keeps its members, and the late end of the old connection takes nothing', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    expect(r.hello(2, 'a')).toMatchObject({ superseded: 1, hasNewGateways: false })
    expect(r.online()).toBe(1)
    expect(r.closed(1)).toMatchObject({ hasNewGateways: false })
    expect(r.online()).toBe(1)
    r.whole(2, 0, memberOf('s1'), memberOf('s2'))
    expect(r.online()).toBe(2)
    r.closed(2)
    expect(r.online()).toBe(0)
  })

  it('is not heard over a connection that it has replaced', () => {
    const r = replica()
    r.hello(1, 'a')
    r.whole(1, 0, memberOf('s1'))
    r.hello(2, 'a')
    expect(r.whole(1, 0).refusal).toMatchObject({ code: 1008 })
    // The lease of a gateway may run out between its two connections.
    r.pass(LEASE_MS)
    r.whole(2, 0, memberOf('s1'))
    expect(r.diff(1, 1, [], ['s1']).refusal).toMatchObject({ code: 1008 })
    expect(r.online()).toBe(1)
  })

  it('says hello first, and once', () => {
    const r = replica()
    expect(r.beat(1, 0).refusal).toMatchObject({ code: 1008 })
    r.hello(1, 'a')
    expect(r.hello(1, 'a').refusal).toMatchObject({ code: 1008 })
  })
})

describe('a replica', () => {
  it('is complete when it has warmed up, and stays so', () => {
    const r = replica({ warmupMs: 4_000 })
    r.pass(3_500)
    expect(r.state.isComplete).toBe(false)
    r.pass(500)
    expect(r.state.isComplete).toBe(true)
    r.hello(1, 'a')
    r.pass(500)
    expect(r.state.isComplete).toBe(true)
  })

  it('waits for the state of a gateway that said hello meanwhile, but not for ever', () => {
    const r = replica({ warmupMs: 4_000 })
    r.hello(1, 'a')
    for (let i = 0; i < 33; i++) {
      r.pass(1_000)
      r.beat(1, 0)
      expect(r.state.isComplete).toBe(false)
    }
    r.pass(1_000)
    expect(r.state.isComplete).toBe(true)
  })
})
