import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { RoomId, type ReportedMember } from '@roomcast/protocol'
import {
  isIn,
  membersIn,
  ownersIn,
  Roster,
  usersIn,
  type Changes,
  type Claim,
  type Owner,
} from '../src/roster.ts'

interface TestOwner extends Owner {
  readonly claims: Claim<this>[]
}

const room = RoomId.parse('lobby')
const other = RoomId.parse('attic')
const SIDS = 150

const owners = (): TestOwner[] =>
  ['a', 'b', 'c'].map((instance) => ({ instance, claims: [], rooms: 0, members: 0 }))

const member = (sid: number, more: Partial<ReportedMember> = {}): ReportedMember => ({
  sid: `s${sid}`,
  room,
  // Four sids of each name, and some of users who have a name in common with others.
  name: `name ${sid >> 2}`,
  ...(sid % 3 === 0 ? { user: `user ${sid >> 4}` } : {}),
  since: 0,
  generation: 0,
  ...more,
})

/** Claims and releases of runs of sids, so that rooms grow and shrink by many. */
const runs = fc.array(
  fc.record({
    owner: fc.nat(2),
    from: fc.nat(SIDS),
    length: fc.nat(SIDS),
    does: fc.constantFrom('claim', 'claim', 'release', 'move', 'leave'),
    generation: fc.nat(2),
  }),
  { maxLength: 20 },
)

describe('a roster', () => {
  it('knows the members, users and owners of rooms that grow large and small again', () => {
    fc.assert(
      fc.property(runs, (script) => {
        const all = owners()
        const roster = new Roster<TestOwner>()
        /** By owner, by sid. */
        const truth = all.map(() => new Map<string, ReportedMember>())
        for (const { owner: i, from, length, does, generation } of script) {
          const [owner, own] = [all[i], truth[i]]
          if (owner === undefined || own === undefined) continue
          const changes: Changes = { counted: new Set(), entered: new Set() }
          if (does === 'leave') {
            roster.releaseAll(owner, changes)
            own.clear()
          }
          for (let sid = from; does !== 'leave' && sid < Math.min(SIDS, from + length); sid++) {
            const claimed = member(sid, { generation, room: does === 'move' ? other : room })
            if (does === 'release') {
              roster.release(owner, claimed.sid, changes)
              own.delete(claimed.sid)
            } else {
              roster.claim(owner, claimed, changes)
              own.set(claimed.sid, claimed)
            }
          }

          const best = new Map<string, ReportedMember & { by: string }>()
          truth.forEach((members, at) => {
            // Later owners have greater instances, which win among equals.
            for (const one of members.values()) {
              if (one.generation >= (best.get(one.sid)?.generation ?? 0))
                best.set(one.sid, { ...one, by: all[at]?.instance ?? '' })
            }
          })
          expect(roster.members).toBe(best.size)
          for (const id of [room, other]) {
            const expected = [...best.values()].filter((one) => one.room === id)
            const found = roster.rooms.get(id) ?? { id, claims: [], online: 0, tally: undefined }
            expect(found.online).toBe(expected.length)
            expect(
              [...membersIn(found)].map((one) => `${one.sid} ${one.owner.instance}`).sort(),
            ).toEqual(expected.map(({ sid, by }) => `${sid} ${by}`).sort())
            expect(usersIn(found)).toBe(
              new Set(expected.map(({ user, name }) => user ?? name)).size,
            )
            const here = all.filter((_, at) =>
              [...(truth[at]?.values() ?? [])].some((one) => one.room === id),
            )
            expect(new Set(ownersIn(found).keys())).toEqual(new Set(here))
            expect(all.filter((one) => isIn(one, found))).toEqual(here)
          }
          expect(owner.claims).toHaveLength(own.size)
          expect(owner.rooms).toBe(new Set([...own.values()].map((one) => one.room)).size)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('tells each room that an owner enters, once', () => {
    const [owner] = owners()
    if (owner === undefined) throw new Error('no owner')
    const roster = new Roster<TestOwner>()
    const entered = (...members: ReportedMember[]): RoomId[] => {
      const changes: Changes = { counted: new Set(), entered: new Set() }
      for (const one of members) roster.claim(owner, one, changes)
      return [...changes.entered]
    }
    expect(entered(member(1), member(2))).toEqual([room])
    expect(entered(member(3))).toEqual([])
    expect(entered(member(3, { room: other }))).toEqual([other])
    const crowd = Array.from({ length: 100 }, (_, sid) => member(sid))
    expect(entered(...crowd)).toEqual([])
    roster.releaseAll(owner, { counted: new Set(), entered: new Set() })
    expect([roster.members, roster.occupied, roster.rooms.size, owner.rooms]).toEqual([0, 0, 0, 0])
    expect(entered(member(1))).toEqual([room])
  })
})
