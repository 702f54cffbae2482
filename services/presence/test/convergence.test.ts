import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { RoomId, type GatewayToPresence, type ReportedMember } from '@roomcast/protocol'
import { membersIn, ownersIn, usersIn } from '../src/roster.ts'
import { apply, createState, type PresenceState } from '../src/state.ts'
import { statsOf } from '../src/views.ts'

/*
 * A model of gateways, replicas and the connections between them, in which everything that can go wrong does, in any order: what a gateway
 * sent arrives late, in part or not at all, also after it has connected anew; gateways and replicas restart or stay away; time passes with
 * and without beats. Once all that lives has been heard, each replica knows the truth and nothing else.
 */

const LEASE_MS = 3_000
/** Time that passes between two looks at the leases, in milliseconds. */
const STEP_MS = 500
const REPLICAS = 2
const GATEWAYS = 3
const sids = ['s0', 's1', 's2', 's3', 's4']
const roomIds = ['lobby', 'attic'].map((id) => RoomId.parse(id))
const totals = { connections: { websocket: 0, polling: 0 }, draining: false }

interface Replica {
  state: PresenceState
}

/** One connection. Frames arrive in the order in which they were sent, however late. */
interface Link {
  readonly id: number
  readonly to: Replica
  readonly underWay: (GatewayToPresence | 'closed')[]
  n: number
  needsState: boolean
  readonly changed: Set<string>
  /** Replicas hear nothing over a connection that they have ended. */
  isOver: boolean
}

interface Gateway {
  instance: string
  isUp: boolean
  readonly members: Map<string, ReportedMember>
  /** The newest connection to each replica. */
  readonly links: Map<Replica, Link>
}

const gateway = fc.nat(GATEWAYS - 1)
const replica = fc.nat(REPLICAS - 1)
const sid = fc.nat(sids.length - 1)
const link = fc.nat(99)
const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      gateway,
      sid,
      room: fc.nat(roomIds.length - 1),
      generation: fc.nat(3),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const), gateway, sid }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      gateway,
      replica,
      /** The whole state, although nobody asked for it. */
      isWhole: fc.boolean(),
      parts: fc.integer({ min: 1, max: 3 }),
      /** Number of the frame that is lost, if there are as many. */
      loses: fc.nat(4),
      arrives: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('arrive' as const), link, frames: fc.nat(4) }),
  },
  fc.record({ do: fc.constant('lose' as const), link, frame: fc.nat(4) }),
  fc.record({
    do: fc.constant('reconnect' as const),
    gateway,
    replica,
    /** What happens to what was sent over the old connection, and to its end. */
    rest: fc.constantFrom('arrives', 'is lost', 'is lost with the end'),
  }),
  fc.record({
    do: fc.constantFrom('restart' as const, 'crash' as const),
    gateway,
    rest: fc.constantFrom('arrives', 'is lost', 'is lost with the end'),
  }),
  fc.record({ do: fc.constant('restart replica' as const), replica }),
  fc.record({
    do: fc.constant('pass' as const),
    ms: fc.integer({ min: 1, max: 2 * LEASE_MS }),
    isBeating: fc.boolean(),
  }),
)
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never
type Rest = 'arrives' | 'is lost' | 'is lost with the end'

function createWorld() {
  let nowMs = 1_000_000
  let lastLink = 0
  let lastSince = 0
  let starts = 0
  const young = (): PresenceState => createState({ leaseMs: LEASE_MS, warmupMs: 0 }, nowMs)
  const replicas = Array.from({ length: REPLICAS }, (): Replica => ({ state: young() }))
  const gateways = Array.from({ length: GATEWAYS }, (): Gateway => ({
    instance: `i${++starts}`,
    isUp: true,
    members: new Map(),
    links: new Map(),
  }))
  /** All over which something may still arrive. */
  let links: Link[] = []

  const connect = (from: Gateway, to: Replica): void => {
    const { instance } = from
    const hello: GatewayToPresence = {
      t: 'hello',
      v: 1,
      instance,
      pod: `pod-${instance}`,
      address: '127.0.0.1:1',
      version: '0',
      startedAt: 0,
    }
    const made: Link = {
      id: ++lastLink,
      to,
      underWay: [hello],
      n: 0,
      needsState: true,
      changed: new Set(),
      isOver: false,
    }
    from.links.set(to, made)
    links.push(made)
  }
  const leave = (from: Gateway, to: Replica, rest: Rest): void => {
    const left = from.links.get(to)
    from.links.delete(to)
    if (left === undefined) return
    if (rest !== 'arrives') left.underWay.length = 0
    if (rest === 'is lost with the end') links = links.filter((one) => one !== left)
    else left.underWay.push('closed')
  }

  /** Sends what changed, or the whole state in parts where that is due. */
  const report = (
    from: Gateway,
    to: Replica,
    { isWhole = false, parts = 1, loses = Infinity, arrives = false },
  ): void => {
    if (!from.isUp) return
    if (from.links.get(to)?.isOver !== false) connect(from, to)
    const own = from.links.get(to)
    if (own === undefined) return
    const changed = [...own.changed]
    own.changed.clear()
    own.n++
    const frames: GatewayToPresence[] = []
    if (own.needsState || isWhole) {
      own.needsState = false
      const all = [...from.members.values()]
      for (let part = 0; part < parts; part++) {
        const members = all.filter((_, i) => i % parts === part)
        frames.push({ t: 'state', n: own.n, part, last: part === parts - 1, members, ...totals })
      }
    } else {
      const joined = changed.flatMap((one) => from.members.get(one) ?? [])
      const left = changed.filter((one) => !from.members.has(one))
      frames.push({ t: 'diff', n: own.n, joined, left, ...totals })
    }
    own.underWay.push(...frames.filter((_, i) => i !== loses))
    if (arrives) arrive(own, Infinity)
  }
  const beat = (from: Gateway): void => {
    for (const own of from.links.values()) own.underWay.push({ t: 'beat', n: own.n })
  }

  /** The next frames of a connection arrive, and what the replica does about it. */
  const arrive = (own: Link, frames: number): void => {
    for (const frame of own.underWay.splice(0, frames)) {
      if (own.isOver) return
      const { state } = own.to
      const { resend, refusal, superseded } =
        frame === 'closed'
          ? apply(state, { t: 'closed', link: own.id }, nowMs)
          : apply(state, { t: 'frame', link: own.id, frame }, nowMs)
      own.needsState ||= resend
      // Its end comes back as that of any connection.
      for (const one of links) {
        const isEnded = one === own ? refusal !== undefined : one.id === superseded
        if (isEnded && one.to === own.to) one.underWay.splice(0, Infinity, 'closed')
      }
      if (frame === 'closed') own.isOver = true
    }
    if (own.isOver) links = links.filter((one) => one !== own)
  }
  const pass = (ms: number, each: () => void): void => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      nowMs += Math.min(left, STEP_MS)
      for (const { state } of replicas) apply(state, { t: 'tick' }, nowMs)
      each()
    }
  }

  const run = (one: Act): void => {
    const of = 'gateway' in one ? gateways[one.gateway] : undefined
    const to = 'replica' in one ? replicas[one.replica] : undefined
    const over = 'link' in one ? links[one.link % links.length] : undefined
    switch (one.do) {
      case 'join':
      case 'leave': {
        if (of === undefined || !of.isUp) break
        const name = sids[one.sid] ?? ''
        const room = one.do === 'join' ? roomIds[one.room] : undefined
        if (one.do === 'leave' || room === undefined) of.members.delete(name)
        else {
          const { generation } = one
          of.members.set(name, { sid: name, room, name, since: ++lastSince, generation })
        }
        for (const { changed } of of.links.values()) changed.add(name)
        break
      }
      case 'report':
        if (of === undefined || to === undefined) break
        report(of, to, one)
        break
      case 'arrive':
        if (over === undefined) break
        arrive(over, one.frames)
        checkIndexes(over.to.state)
        break
      case 'lose':
        // The end of a connection is no frame that could be lost by itself.
        if (over?.underWay[one.frame] !== 'closed') over?.underWay.splice(one.frame, 1)
        break
      case 'reconnect':
        if (of === undefined || to === undefined || !of.isUp) break
        leave(of, to, one.rest)
        connect(of, to)
        break
      case 'restart':
      case 'crash':
        if (of === undefined) break
        for (const each of replicas) leave(of, each, one.rest)
        of.members.clear()
        of.isUp = one.do === 'restart'
        of.instance = `i${++starts}`
        break
      case 'restart replica':
        if (to === undefined) break
        to.state = young()
        links = links.filter((each) => each.to !== to)
        for (const each of gateways) each.links.delete(to)
        break
      case 'pass':
        pass(one.ms, () => one.isBeating && gateways.forEach(beat))
        break
    }
  }

  /** All that was sent arrives, everybody tells what he has to tell, and the leases of the dead run out. */
  const calm = (): void => {
    pass(4 * LEASE_MS, () => {
      for (const from of gateways) {
        for (const to of replicas) {
          const own = from.links.get(to)
          // As a gateway does: without a change it beats, and that has to be enough.
          if (own === undefined || own.isOver || own.needsState || own.changed.size > 0)
            report(from, to, {})
        }
      }
      gateways.forEach(beat)
      for (const own of links) arrive(own, Infinity)
    })
  }
  return { replicas, gateways, run, calm }
}

/** What a replica should know when it has heard everything, computed without it. */
function truth(gateways: readonly Gateway[]): string[] {
  const best = new Map<string, ReportedMember & { readonly instance: string }>()
  for (const { members, instance, isUp } of gateways) {
    if (!isUp) continue
    for (const member of members.values()) {
      const other = best.get(member.sid)
      // No two have the same `since` here.
      const isBetter =
        other === undefined ||
        member.generation > other.generation ||
        (member.generation === other.generation && member.since > other.since)
      if (isBetter) best.set(member.sid, { ...member, instance })
    }
  }
  return [...best.values()].map((one) => `${one.sid} ${one.room} pod-${one.instance}`).sort()
}

function known(state: PresenceState): string[] {
  return [...state.roster.rooms.values()]
    .flatMap((room) =>
      [...membersIn(room)].map(({ sid, owner }) => `${sid} ${room.id} ${owner.info.pod}`),
    )
    .sort()
}

/** That the indexes agree with what they are of. */
function checkIndexes({ roster, gateways }: PresenceState): void {
  const rooms = [...roster.rooms.values()]
  const counted = rooms.flatMap((room) => [...membersIn(room)])
  const kept = {
    members: roster.members,
    occupied: roster.occupied,
    rooms: rooms.map((room) => [room.online, usersIn(room), ownersIn(room).size]),
    places: rooms.flatMap(({ claims }) => claims.map(({ placeInRoom }) => placeInRoom)),
    owners: [...gateways.values()].map(({ members, rooms, claims }) => [
      members,
      rooms,
      ...claims.map(({ placeInOwner }) => placeInOwner),
    ]),
  }
  const recounted = {
    members: new Set(counted.map(({ sid }) => sid)).size,
    occupied: new Set(counted.map(({ room }) => room)).size,
    rooms: rooms.map((room) => {
      const members = [...membersIn(room)]
      const users = new Set(members.map(({ name }) => name))
      const owners = new Set(room.claims.map(({ owner }) => owner))
      return [members.length, users.size, owners.size]
    }),
    places: rooms.flatMap(({ claims }) => [...claims.keys()]),
    owners: [...gateways.values()].map((owner) => [
      counted.filter((one) => one.owner === owner).length,
      new Set(owner.claims.map(({ room }) => room)).size,
      ...owner.claims.keys(),
    ]),
  }
  expect(kept).toEqual(recounted)
}

describe('any interleaving of reports, losses, reconnects, restarts, crashes and expired leases', () => {
  it('ends in the truth, on every replica, once everybody who lives has been heard', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60, size: 'max' }), (script) => {
        const { replicas, gateways, run, calm } = createWorld()
        calm()
        script.forEach(run)
        calm()
        const alive = gateways.filter(({ isUp }) => isUp)
        for (const { state } of replicas) {
          checkIndexes(state)
          expect(known(state)).toEqual(truth(gateways))
          expect([...state.gateways.keys()].sort()).toEqual(alive.map((one) => one.instance).sort())
          expect(statsOf(state).members).toBe(truth(gateways).length)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
