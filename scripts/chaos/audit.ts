import type { MessageView } from '@roomcast/protocol'
import type { z } from 'zod'
import { getJson } from '../../test/support/deployment.ts'
import { until, within } from '../../test/support/processes.ts'
import { checkRoom, type RoomRecord, type Violation, type ViolationKind } from './checks.ts'
import { labelOf, noExperiences, type ChaosMember, type Experiences } from './members.ts'

/** How long all may take to be in their rooms: at first, and after the last fault. In milliseconds. */
const GATHER_LIMIT_MS = 60_000
/** How long what was said may take to be acknowledged, and to be with everybody, after the last fault. In milliseconds. */
const SETTLE_LIMIT_MS = 30_000
/** Messages that one request to a broker reads. */
const PAGE = 200

/** A time that a member was told that it is not recovered. */
export interface Loss {
  readonly member: string
  /** The gateway's reason. */
  readonly reason: string
  readonly awayMs: number
  /** It was back within the window, and had not missed too much: it should have been recovered. */
  readonly isWithinLimits: boolean
}

/** Resolves when every member is in its room. */
export async function gather(members: readonly ChaosMember[]): Promise<void> {
  await until(
    'all members in their rooms',
    () => members.every((member) => member.isPresent()),
    GATHER_LIMIT_MS,
  )
}

/** Lets everybody finish his sentence, come back, and say one last thing. */
export async function settle(members: readonly ChaosMember[]): Promise<readonly Violation[]> {
  const violations: Violation[] = []
  const late = (kind: ViolationKind, who: (member: ChaosMember) => string | undefined): void => {
    for (const member of members) {
      const detail = who(member)
      if (detail !== undefined) violations.push({ kind, where: member.record.name, detail })
    }
  }
  const acknowledged = async (all: Promise<unknown>): Promise<void> => {
    await within(SETTLE_LIMIT_MS, 'every acknowledgement', all).catch(() =>
      late('never acknowledged', (member) => member.pending()),
    )
  }
  await acknowledged(Promise.all(members.map((member) => member.hush())))
  await gather(members).catch(() =>
    late('never back', (member) =>
      member.isPresent() ? undefined : `by ${member.transports.join(' and ')}`,
    ),
  )
  if (violations.length === 0)
    await acknowledged(Promise.all(members.map((member) => member.say('final'))))
  return violations
}

/** The logs, read from a broker's HTTP API, once everybody has the last entry of his, or as they are when the time is over. */
export async function converge(
  broker: string,
  rooms: readonly string[],
  members: readonly ChaosMember[],
): Promise<readonly RoomRecord[]> {
  let logs: readonly RoomRecord[] = []
  const haveAll = async (): Promise<boolean> => {
    logs = await Promise.all(rooms.map((room) => readLog(broker, room)))
    const ends = new Map(logs.map(({ room, entries }) => [room, entries.at(-1)?.offset]))
    return members.every(
      ({ record: { room, stretches } }) =>
        stretches.at(-1)?.entries.at(-1)?.offset === ends.get(room),
    )
  }
  // Who does not get there is named by the checks.
  await until('everybody to have everything', haveAll, SETTLE_LIMIT_MS).catch(() => undefined)
  return logs
}

/** All of a room's log. */
async function readLog(broker: string, room: string): Promise<RoomRecord> {
  const entries = []
  for (let after = '0:0'; ;) {
    const query = new URLSearchParams({ after, limit: String(PAGE) })
    const page = await getJson<{
      readonly messages: readonly z.infer<typeof MessageView>[]
      readonly offset: string
    }>(`${broker}/v1/rooms/${encodeURIComponent(room)}/messages?${query.toString()}`)
    for (const message of page.messages) {
      entries.push({ offset: message.offset, label: labelOf(message), id: message.id })
    }
    if (page.messages.length === 0) return { room, entries }
    after = page.offset
  }
}

/** What the logs and what their members got have against each other. */
export function compare(
  logs: readonly RoomRecord[],
  members: readonly ChaosMember[],
): readonly Violation[] {
  const records = members.map(({ record }) => record)
  return logs.flatMap((log) =>
    checkRoom(
      log,
      records.filter(({ room }) => room === log.room),
    ),
  )
}

/** Asks every replica of presence until all their counts are the truth, or the time is over. */
export async function checkCounts(
  presences: readonly string[],
  rooms: readonly string[],
  members: readonly ChaosMember[],
  limitMs: number,
): Promise<{ readonly violations: readonly Violation[]; readonly tookMs: number }> {
  const started = Date.now()
  let violations: readonly Violation[] = []
  const areRight = async (): Promise<boolean> => {
    const wrong = await Promise.all(
      presences.flatMap((url, i) => [
        countAt(`${url}/v1/stats`, 'members').then((count) =>
          differs(`presence ${i + 1}, members`, count, members.length),
        ),
        ...rooms.map(async (room) =>
          differs(
            `presence ${i + 1}, ${room}`,
            await countAt(`${url}/v1/rooms/${encodeURIComponent(room)}`, 'online'),
            members.filter(({ record }) => record.room === room).length,
          ),
        ),
      ]),
    )
    violations = wrong.flat()
    return violations.length === 0
  }
  await until('right counts', areRight, limitMs).catch(() => undefined)
  return { violations, tookMs: Date.now() - started }
}

async function countAt(url: string, field: string): Promise<number> {
  return Number((await getJson<Record<string, unknown>>(url))[field])
}

function differs(where: string, count: number, truth: number): Violation[] {
  return count === truth
    ? []
    : [{ kind: 'wrong count', where, detail: `${count} instead of ${truth}` }]
}

/** Refusals that should not have been. */
export function refusalsOf({ record, faults }: ChaosMember): Violation[] {
  return [...new Set(faults)].map((detail) => ({ kind: 'refused', where: record.name, detail }))
}

/** A loss within the limits is a violation. */
export function unduly({ member, reason, awayMs, isWithinLimits }: Loss): Violation[] {
  if (!isWithinLimits) return []
  const detail = `${reason}, away for ${awayMs} ms`
  return [{ kind: 'not recovered within the limits', where: member, detail }]
}

export function sum(all: readonly Readonly<Experiences>[]): Experiences {
  const total = noExperiences()
  for (const one of all)
    for (const name of Object.keys(total) as (keyof Experiences)[]) total[name] += one[name]
  return total
}
