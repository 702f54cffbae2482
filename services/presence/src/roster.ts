import type { ReportedMember, RoomId } from '@roomcast/protocol'

/**
 * Claims from which on a room keeps a tally, and below which it drops it again. What a smaller room is asked, its few claims answer:
 * most rooms are small, and the tally of a small room is as large as everything else that is known of its members.
 */
const TALLY_FROM = 64
const TALLY_UNTIL = 32

/** Who makes claims: a gateway. Everything here is kept by the roster. */
export interface Owner {
  readonly instance: string
  /** Each of its members, in no order. */
  readonly claims: Claim<this>[]
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
  /** The user of its token, where those are required. */
  readonly user: string | undefined
  readonly since: number
  readonly generation: number
  readonly owner: O
  /** The next best claim of the same sid. */
  next: Claim<O> | undefined
  counts: boolean
  /** Its places in `room.claims` and `owner.claims`. */
  placeInRoom: number
  placeInOwner: number
}

export interface Room<O> {
  readonly id: RoomId
  /** Also those that do not count: a gateway serves what it believes to have. In no order. */
  readonly claims: Claim<O>[]
  /** Claims that count. */
  online: number
  tally: Tally<O> | undefined
}

interface Tally<O> {
  /** Claims that count, by user. */
  readonly users: Map<string, number>
  /** Claims by owner. */
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
 * claims come and go; among equals the later `since`, then the greater instance, so that all replicas agree. A change costs O(1), or
 * as much as there are claims of the same sid.
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
    { sid, room: id, name, user, since, generation }: ReportedMember,
    changes: Changes,
  ): void {
    const known = this.#claimOf(owner, sid)
    if (known !== undefined) {
      const isSame =
        known.room.id === id &&
        known.name === name &&
        known.user === user &&
        known.since === since &&
        known.generation === generation
      if (isSame) return
      this.#remove(known, changes)
    }
    const room = this.#roomOf(id)
    if (!isIn(owner, room)) {
      owner.rooms++
      changes.entered.add(id)
    }
    const claim: Claim<O> = {
      sid,
      room,
      name,
      user,
      since,
      generation,
      owner,
      next: undefined,
      counts: false,
      placeInRoom: room.claims.length,
      placeInOwner: owner.claims.length,
    }
    room.claims.push(claim)
    owner.claims.push(claim)
    add(room.tally?.owners, owner, 1)
    this.#rank(claim, changes)
    if (room.tally === undefined && room.claims.length >= TALLY_FROM) room.tally = tallyOf(room)
  }

  /** Takes the owner's claim of a sid back; a sid that he does not claim is no fault. */
  release(owner: O, sid: string, changes: Changes): void {
    const claim = this.#claimOf(owner, sid)
    if (claim !== undefined) this.#remove(claim, changes)
  }

  /** Takes every claim of the owner back. */
  releaseAll(owner: O, changes: Changes): void {
    for (let last = owner.claims.at(-1); last !== undefined; last = owner.claims.at(-1))
      this.#remove(last, changes)
  }

  /** Of the claims of one sid, which are few: a session that moved is known to two gateways for a moment. */
  #claimOf(owner: O, sid: string): Claim<O> | undefined {
    let claim = this.#best.get(sid)
    while (claim !== undefined && claim.owner !== owner) claim = claim.next
    return claim
  }

  #rank(claim: Claim<O>, changes: Changes): void {
    const best = this.#best.get(claim.sid)
    if (best === undefined || outranks(claim, best)) {
      if (best !== undefined) this.#uncount(best, changes)
      claim.next = best
      this.#best.set(claim.sid, claim)
      this.#count(claim, changes)
      return
    }
    let before = best
    while (before.next !== undefined && !outranks(claim, before.next)) before = before.next
    claim.next = before.next
    before.next = claim
  }

  #remove(claim: Claim<O>, changes: Changes): void {
    const { sid, room, owner } = claim
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

    take(room.claims, claim, 'placeInRoom')
    take(owner.claims, claim, 'placeInOwner')
    add(room.tally?.owners, owner, -1)
    if (!isIn(owner, room)) owner.rooms--
    if (room.claims.length < TALLY_UNTIL) room.tally = undefined
    if (room.claims.length === 0) this.rooms.delete(room.id)
  }

  #roomOf(id: RoomId): Room<O> {
    let room = this.rooms.get(id)
    if (room === undefined) {
      room = { id, claims: [], online: 0, tally: undefined }
      this.rooms.set(id, room)
    }
    return room
  }

  #count(claim: Claim<O>, { counted }: Changes): void {
    const { room, owner } = claim
    claim.counts = true
    if (room.online++ === 0) this.#occupied++
    add(room.tally?.users, userOf(claim), 1)
    owner.members++
    counted.add(room.id)
  }

  #uncount(claim: Claim<O>, { counted }: Changes): void {
    const { room, owner } = claim
    claim.counts = false
    if (--room.online === 0) this.#occupied--
    add(room.tally?.users, userOf(claim), -1)
    owner.members--
    counted.add(room.id)
  }
}

/** The claims that count, in no order. */
export function* membersIn<O>({ claims }: Room<O>): Iterable<Claim<O>> {
  for (const claim of claims) if (claim.counts) yield claim
}

/** What tells people apart: the user of the token, else the name. */
export function userOf({ user, name }: Pick<Claim<unknown>, 'user' | 'name'>): string {
  return user ?? name
}

/** Distinct users among the members. */
export function usersIn<O>(room: Room<O>): number {
  return (room.tally ?? tallyOf(room)).users.size
}

/** Who has a claim here. */
export function ownersIn<O>(room: Room<O>): ReadonlySet<O> | ReadonlyMap<O, number> {
  return room.tally?.owners ?? new Set(room.claims.map(({ owner }) => owner))
}

export function isIn<O>(owner: O, { tally, claims }: Room<O>): boolean {
  return tally === undefined
    ? claims.some((claim) => claim.owner === owner)
    : tally.owners.has(owner)
}

function tallyOf<O>(room: Room<O>): Tally<O> {
  const tally: Tally<O> = { users: new Map(), owners: new Map() }
  for (const { owner } of room.claims) add(tally.owners, owner, 1)
  for (const claim of membersIn(room)) add(tally.users, userOf(claim), 1)
  return tally
}

function add<K>(counts: Map<K, number> | undefined, key: K, change: 1 | -1): void {
  if (counts === undefined) return
  const count = (counts.get(key) ?? 0) + change
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}

/** Takes a claim out of a list that is in no order: the last one takes its place. */
function take<O>(claims: Claim<O>[], claim: Claim<O>, place: 'placeInRoom' | 'placeInOwner'): void {
  const last = claims.pop()
  if (last === undefined || last === claim) return
  last[place] = claim[place]
  claims[claim[place]] = last
}

function outranks<O extends Owner>(a: Claim<O>, b: Claim<O>): boolean {
  if (a.generation !== b.generation) return a.generation > b.generation
  if (a.since !== b.since) return a.since > b.since
  return a.owner.instance > b.owner.instance
}
