import {
  checkCounts,
  compare,
  converge,
  gather,
  refusalsOf,
  settle,
  sum,
  unduly,
} from '../../../scripts/chaos/audit.ts'
import type { RoomRecord, Violation } from '../../../scripts/chaos/checks.ts'
import { startMember, type ChaosMember, type Experiences } from '../../../scripts/chaos/members.ts'
import { codesOf, countRefusals } from '../../../scripts/chaos/refusals.ts'
import { until } from '../../support/processes.ts'
import type { Entrance } from './entrance.ts'
import type { Namespace } from './namespace.ts'
import type { Release } from './release.ts'
import { seconds } from './report.ts'
import { mostInASecond } from './slope.ts'

const MEMBERS_PER_ROOM = 20
/** What all of them say a second: what a machine bears that has the cluster and the clients. */
const PER_SECOND = 25
/** As stock clients have it: they come back after half of the first to one and a half of it. In milliseconds. */
const STOCK_DELAYS = { reconnectionDelay: 1_000, reconnectionDelayMax: 5_000 }
/** The chart's `RECOVERY_WINDOW_MS`. */
const RECOVERY_WINDOW_MS = 120_000
/** How long counts may take to be right once everybody is back, before they are called wrong. In milliseconds. */
const COUNT_LIMIT_MS = 15_000
/** How long the first rooms may take to fill, in milliseconds. */
const ENTER_LIMIT_MS = 120_000
/** How long every member may take to have said one thing more, in milliseconds. */
const FLOW_MS = 90_000
/** Of those who were away longest, how many are named. */
const SLOWEST = 8
/** Members that come in at a time, so that a crowd does not wait for itself. */
const ENTER_BATCH = 25

/** Stock clients on every transport, in rooms of twenty, that say numbered messages all the time. */
export interface Traffic extends AsyncDisposable {
  readonly members: readonly ChaosMember[]
  /** Since it began, in milliseconds. */
  elapsedMs(): number
  /** The highest number of connections that ended within any second so far. */
  mostClosedInASecond(): number
  /** Resolves when all are in their rooms again. */
  areBack(): Promise<void>
  /** Waits for all to be back, asks presence for the counts, lets everybody fall silent, and compares what all got with the logs. */
  conclude(): Promise<Conclusion>
}

export interface Conclusion {
  readonly violations: readonly Violation[]
  readonly logs: readonly RoomRecord[]
  readonly acknowledged: number
  /** Logged messages that arrived at members. */
  readonly received: number
  readonly experiences: Readonly<Experiences>
  /** Each time from the end of a connection until its member was in its room again, shortest first, in milliseconds. */
  readonly awayMs: readonly number[]
  /** Those who were away longest, with the moment in seconds since the traffic began, for a person who wants to know why. */
  readonly slowest: readonly string[]
  /** How many messages were refused with which code, in words; empty without any. */
  readonly refusalCodes: string
  /** The same by the words of each refusal, with the seconds since the traffic began, for a person who wants to know why. */
  readonly refusals: readonly string[]
  /** From when all were back until every replica of presence had the true numbers, in milliseconds. */
  readonly countsTookMs: number
}

/** Resolves when so many members are in rooms of this scenario's own, and talk. */
export async function startTraffic(
  scenario: string,
  size: number,
  {
    namespace,
    release,
    entrance,
  }: { readonly namespace: Namespace; readonly release: Release; readonly entrance: Entrance },
): Promise<Traffic> {
  const rooms = Array.from(
    { length: Math.ceil(size / MEMBERS_PER_ROOM) },
    (_, i) => `${scenario} ${i + 1}`,
  )
  const members: ChaosMember[] = []
  const began = Date.now()
  const close = (): void => {
    for (const member of members) member.close()
  }
  const all = (): boolean => members.every((member) => member.isPresent())
  try {
    while (members.length < size) {
      for (let i = 0; i < ENTER_BATCH && members.length < size; i++) {
        const index = members.length
        const room = rooms[index % rooms.length] ?? ''
        members.push(
          startMember(
            entrance.url,
            room,
            index + 1,
            { kind: 'none' },
            { ...entrance.options, ...STOCK_DELAYS },
          ),
        )
      }
      await until(`${members.length} members in their rooms`, all, ENTER_LIMIT_MS)
    }
  } catch (error) {
    close()
    throw error
  }
  // Each more or less by half.
  for (const member of members)
    member.talk(() => 1_000 * (size / PER_SECOND) * (0.5 + Math.random()))

  return {
    members,
    elapsedMs: () => Date.now() - began,
    mostClosedInASecond: () =>
      mostInASecond(members.flatMap(({ absences }) => absences.map(({ closedAt }) => closedAt))),
    areBack: () => gather(members),
    async conclude() {
      await using stack = new AsyncDisposableStack()
      const forward = async (target: string, port: number): Promise<string> =>
        stack.use(await namespace.forward(target, port)).url
      const pods = await release.pods('presence')
      const presences = await Promise.all(
        pods.map(({ metadata }) => forward(`pod/${metadata.name}`, 8_090)),
      )
      const broker = await forward(`service/${release.named('broker')}`, 8_070)
      // Who does not come back is named by `settle`.
      await gather(members).catch(() => undefined)
      const counts = await checkCounts(presences, rooms, members, COUNT_LIMIT_MS)
      const unsettled = await settle(members)
      const logs = await converge(broker, rooms, members)
      const losses = members.flatMap(({ record, losses }) =>
        losses.map(({ awayMs }) => ({
          member: record.name,
          reason: 'told that it is not',
          awayMs,
          isWithinLimits: awayMs <= RECOVERY_WINDOW_MS,
        })),
      )
      return {
        violations: [
          ...unsettled,
          ...compare(logs, members),
          ...counts.violations,
          ...members.flatMap(refusalsOf),
          ...losses.flatMap(unduly),
        ],
        logs,
        acknowledged: members.reduce((n, { record }) => n + record.acknowledged.length, 0),
        received: members.reduce(
          (n, { record }) => n + record.stretches.reduce((m, { entries }) => m + entries.length, 0),
          0,
        ),
        experiences: sum(members.map(({ experiences }) => experiences)),
        awayMs: members
          .flatMap(({ absences }) =>
            absences.map(({ backAfterMs }) => backAfterMs ?? Number.POSITIVE_INFINITY),
          )
          .sort((a, b) => a - b),
        slowest: slowestOf(members, began),
        refusalCodes: codesOf(members.flatMap(({ refusals }) => refusals)),
        refusals: refusalsSince(members, began),
        countsTookMs: counts.tookMs,
      }
    },
    async [Symbol.asyncDispose]() {
      close()
    },
  }
}

/** Resolves when every member has had one message more acknowledged. */
export async function flows({ members }: Traffic): Promise<void> {
  const before = members.map(({ record }) => record.acknowledged.length)
  await until(
    'everybody to have said something',
    () => members.every(({ record }, i) => record.acknowledged.length > (before[i] ?? 0)),
    FLOW_MS,
  )
}

function refusalsSince(members: readonly ChaosMember[], began: number): readonly string[] {
  return countRefusals(members.flatMap(({ refusals }) => refusals)).map(
    ({ code, message, count, firstAt, lastAt }) =>
      `refused ${count} times from ${seconds(firstAt - began)} to ${seconds(lastAt - began)}: ${code}, ${message}`,
  )
}

function slowestOf(members: readonly ChaosMember[], began: number): readonly string[] {
  return members
    .flatMap(({ record, absences }) =>
      absences.map(({ closedAt, backAfterMs = Number.POSITIVE_INFINITY }) => ({
        name: record.name,
        at: seconds(closedAt - began),
        backAfterMs,
      })),
    )
    .sort((a, b) => b.backAfterMs - a.backAfterMs)
    .slice(0, SLOWEST)
    .map(({ name, at, backAfterMs }) => `${name}: gone at ${at}, for ${seconds(backAfterMs)}`)
}
