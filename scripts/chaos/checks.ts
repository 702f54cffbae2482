import { parseOffset } from '@roomcast/protocol'

/** A logged message as the log or a member has it. */
export interface Entry {
  readonly offset: string
  /** What it says, in one line: the same for the same message. */
  readonly label: string
  /** The sender's own id for it. */
  readonly id?: string | undefined
}

/** What one member got without being told of a break: from a join on, through every recovery. */
export interface Stretch {
  /** The offset of `joined`: everything after it is to arrive. Undefined when the connection ended before that. */
  readonly from: string | undefined
  readonly entries: readonly Entry[]
}

export interface MemberRecord {
  readonly name: string
  readonly room: string
  /** One more each time the member was told that it was not recovered. */
  readonly stretches: readonly Stretch[]
  /** Acknowledged messages in the order of their acknowledgements, which is the order in which they were said. */
  readonly acknowledged: readonly Acknowledged[]
}

export interface Acknowledged {
  readonly id: string
  readonly offset: string
}

export type ViolationKind =
  | 'acknowledged but not in the log'
  | 'in the log more than once'
  | 'acknowledged with another offset'
  | "not in the sender's order"
  | 'not in the log'
  | 'other than the log says'
  | 'received again'
  | 'received out of order'
  | 'missed without being told'
  | 'missing at the end'
  | 'received before it joined'
  | 'not recovered within the limits'
  | 'never acknowledged'
  | 'never back'
  | 'refused'
  | 'wrong count'
  | 'numbers of the log'

export interface Violation {
  readonly kind: ViolationKind
  readonly where: string
  readonly detail: string
}

/** The log of one room, oldest first, looked up by sequence number and by id. */
export interface RoomRecord {
  readonly room: string
  readonly entries: readonly Entry[]
}

/** Checks the log itself, and all that its members got and were promised. */
export function checkRoom(log: RoomRecord, members: readonly MemberRecord[]): readonly Violation[] {
  const places = placesOf(log)
  const ids = idsOf(log)
  return [
    ...checkNumbers(log),
    ...checkIds(log.room, ids),
    ...members.flatMap((member) => [
      ...checkAcknowledged(member, log, ids),
      ...checkReceived(member, log, places),
    ]),
  ]
}

/** Where each sequence number is in the log. */
function placesOf({ entries }: RoomRecord): ReadonlyMap<number, number> {
  return new Map(entries.map(({ offset }, place) => [seqOf(offset), place]))
}

function idsOf({ entries }: RoomRecord): ReadonlyMap<string, readonly number[]> {
  const ids = new Map<string, number[]>()
  for (const [place, { id }] of entries.entries()) {
    if (id !== undefined) ids.set(id, [...(ids.get(id) ?? []), place])
  }
  return ids
}

const seqOf = (offset: string): number => parseOffset(offset)?.seq ?? Number.NaN

/** Numbers begin at 1 and none is left out: nothing was deleted and nothing trimmed. */
function checkNumbers({ room, entries }: RoomRecord): readonly Violation[] {
  const wrong = entries.findIndex(({ offset }, place) => seqOf(offset) !== place + 1)
  if (wrong === -1) return []
  const detail = `entry ${wrong + 1} has the offset ${entries[wrong]?.offset}`
  return [{ kind: 'numbers of the log', where: room, detail }]
}

function checkIds(room: string, ids: ReadonlyMap<string, readonly number[]>): Violation[] {
  return [...ids]
    .filter(([, places]) => places.length > 1)
    .map(([id, places]) => ({
      kind: 'in the log more than once',
      where: room,
      detail: `${id} at ${places.map((place) => place + 1).join(', ')}`,
    }))
}

function checkAcknowledged(
  { name, acknowledged }: MemberRecord,
  { entries }: RoomRecord,
  ids: ReadonlyMap<string, readonly number[]>,
): readonly Violation[] {
  const violations: Violation[] = []
  const add = (kind: ViolationKind, detail: string): void => {
    violations.push({ kind, where: name, detail })
  }
  let before = -1
  for (const { id, offset } of acknowledged) {
    const [place] = ids.get(id) ?? []
    const entry = place === undefined ? undefined : entries[place]
    if (place === undefined || entry === undefined) {
      add('acknowledged but not in the log', `${id} at ${offset}`)
      continue
    }
    if (entry.offset !== offset) {
      add('acknowledged with another offset', `${id}: ${offset}, in the log ${entry.offset}`)
    }
    if (place < before) add("not in the sender's order", `${id} at ${entry.offset}`)
    before = place
  }
  return violations
}

/**
 * Each stretch must be the log from its join on, entry by entry; the last one up to the log's end. Only between two stretches, where the
 * member was told, may something be missing, and nothing may come a second time.
 */
function checkReceived(
  { name, stretches }: MemberRecord,
  { entries }: RoomRecord,
  places: ReadonlyMap<number, number>,
): readonly Violation[] {
  const violations: Violation[] = []
  const add = (kind: ViolationKind, detail: string): void => {
    violations.push({ kind, where: name, detail })
  }
  const got = new Set<number>()
  let furthest = -1
  for (const [i, { from, entries: received }] of stretches.entries()) {
    const inStretch = `in stretch ${i + 1} of ${stretches.length} from ${from}`
    if (from === undefined) {
      if (received.length > 0) add('received before it joined', `${received.length} ${inStretch}`)
      continue
    }
    let next = seqOf(from)
    for (const entry of received) {
      const place = places.get(seqOf(entry.offset))
      const logged = place === undefined ? undefined : entries[place]
      if (place === undefined || logged === undefined) {
        add('not in the log', `${entry.offset} "${entry.label}" ${inStretch}`)
        continue
      }
      if (logged.offset !== entry.offset || logged.label !== entry.label) {
        const said = `${logged.offset} "${logged.label}"`
        add('other than the log says', `${entry.offset} "${entry.label}", in the log ${said}`)
      }
      if (got.has(place)) add('received again', `${entry.offset} ${inStretch}`)
      else if (place < furthest) add('received out of order', `${entry.offset} ${inStretch}`)
      if (place > next) {
        const missed = `${entries[next]?.offset} to ${entries[place - 1]?.offset}`
        add('missed without being told', `${missed} ${inStretch}`)
      }
      got.add(place)
      furthest = Math.max(furthest, place)
      next = Math.max(next, place + 1)
    }
    if (i === stretches.length - 1 && next < entries.length) {
      add('missing at the end', `${entries.length - next} after ${entries[next - 1]?.offset}`)
    }
  }
  return violations
}
