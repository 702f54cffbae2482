import type { ReportedMember, RoomId } from '@roomcast/protocol'

/** Who makes claims: a gateway. `claims` has each of its members by sid; the counters are kept by the roster. */
export interface Owner {
  readonly instance: string
  readonly claims: Map<string, Claim<this>>
  /** Rooms in which it has a claim. */
  rooms: number
  /** Its claims that count. */
  members: number
}

/** One gateway's report that a socket is in a room. Of several claims of one sid the best counts; the others wait behind it. */
export interface Claim<O> {
  readonly sid: string
  readonly room: Room<O>
  readonly name: string
  readonly since: number
  readonly generation: number
  readonly owner: O
  /** The next best claim of the same sid. */
  next: Claim<O> | undefined
}

export interface Room<O> {
  readonly id: RoomId
  /** The claims that count, by sid. */
  readonly members: Map<string, Claim<O>>
  /** Distinct names among `members`, and how many have each. */
  readonly users: Map<string, number>
  /** Claims by owner, also those that do not count: a gateway serves what it believes to have. */
  readonly owners: Map<O, number>
}

/** What a run of changes did. */
export interface Changes {
  /** Rooms whose members changed. */
  readonly counted: Set<RoomId>
  /** Rooms in which the owner had no claim before. */
  readonly entered: Set<RoomId>
}

/**
 * Who is where: every owner's claims, each sid counted once. The claim with the highest generation counts, whatever the order in which
 * claims come and go; among equals the later `since`, then the greater instance, so that all replicas agree. A change costs O(1).
 */
export class Roster<O extends Owner> {
  /** Every room in which somebody has a claim. */
  readonly rooms = new Map<RoomId, Room<O>>()
  readonly #best = new Map<string, Claim<O>>()
  #occupied = 0

  /** Sids that count. */
  get members(): number {
    return this.#best.size
  }

  /** Rooms with a member that counts. */
  get occupied(): number {
    return this.#occupied
  }

  /** Adds the owner's claim of a sid, in place of the one that he has. */
  claim(
    owner: O,
    { sid, room: id, name, since, generation }: ReportedMember,
    changes: Changes,
  ): void {
    const known = owner.claims.get(sid)
    if (known !== undefined) {
      const isSame =
        known.room.id === id &&
        known.name === name &&
        known.since === since &&
        known.generation === generation
      if (isSame) return
      this.release(owner, sid, changes)
    }
    const room = this.#roomOf(id)
    const claim: Claim<O> = { sid, room, name, since, generation, owner, next: undefined }
    owner.claims.set(sid, claim)
    const here = room.owners.get(owner) ?? 0
    room.owners.set(owner, here + 1)
    if (here === 0) {
      owner.rooms++
      changes.entered.add(id)
    }

    const best = this.#best.get(sid)
    if (best === undefined || outranks(claim, best)) {
      if (best !== undefined) this.#uncount(best, changes)
      claim.next = best
      this.#best.set(sid, claim)
      this.#count(claim, changes)
      return
    }
    let before = best
    while (before.next !== undefined && !outranks(claim, before.next)) before = before.next
    claim.next = before.next
    before.next = claim
  }

  /** Takes the owner's claim of a sid back; a sid that he does not claim is no fault. */
  release(owner: O, sid: string, changes: Changes): void {
    const claim = owner.claims.get(sid)
    if (claim === undefined) return
    owner.claims.delete(sid)

    const best = this.#best.get(sid)
    if (best === claim) {
      this.#uncount(claim, changes)
      if (claim.next === undefined) {
        this.#best.delete(sid)
      } else {
        this.#best.set(sid, claim.next)
        this.#count(claim.next, changes)
      }
    } else {
      for (let before = best; before !== undefined; before = before.next) {
        if (before.next === claim) before.next = claim.next
      }
    }

    const { room } = claim
    const here = (room.owners.get(owner) ?? 0) - 1
    if (here > 0) {
      room.owners.set(owner, here)
      return
    }
    room.owners.delete(owner)
    owner.rooms--
    if (room.owners.size === 0) this.rooms.delete(room.id)
  }

  #roomOf(id: RoomId): Room<O> {
    let room = this.rooms.get(id)
    if (room === undefined) {
      room = { id, members: new Map(), users: new Map(), owners: new Map() }
      this.rooms.set(id, room)
    }
    return room
  }

  #count(claim: Claim<O>, { counted }: Changes): void {
    const { room, name, owner } = claim
    if (room.members.size === 0) this.#occupied++
    room.members.set(claim.sid, claim)
    room.users.set(name, (room.users.get(name) ?? 0) + 1)
    owner.members++
    counted.add(room.id)
  }

  #uncount(claim: Claim<O>, { counted }: Changes): void {
    const { room, name, owner } = claim
    room.members.delete(claim.sid)
    if (room.members.size === 0) this.#occupied--
    const named = (room.users.get(name) ?? 0) - 1
    if (named > 0) room.users.set(name, named)
    else room.users.delete(name)
    owner.members--
    counted.add(room.id)
  }
}

function outranks<O extends Owner>(a: Claim<O>, b: Claim<O>): boolean {
  if (a.generation !== b.generation) return a.generation > b.generation
  if (a.since !== b.since) return a.since > b.since
  return a.owner.instance > b.owner.instance
}
