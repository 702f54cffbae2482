import { expect } from '@jest/globals'
import { percentile } from '../../../scripts/bench/row.ts'
import { violationLines } from '../../../scripts/chaos/table.ts'
import type { Entrance } from './entrance.ts'
import type { Namespace } from './namespace.ts'
import type { Release } from './release.ts'
import { record, report, seconds, timed } from './report.ts'
import { flows, startTraffic, type Conclusion, type Traffic } from './traffic.ts'

/** Once everybody is back, counts are right within this. In milliseconds. */
const COUNTS_MS = 2_000

export interface Place {
  readonly namespace: Namespace
  readonly release: Release
  readonly entrance: Entrance
}

export interface Expectation {
  /** Names the result, and the rooms. */
  readonly id: string
  readonly what: string
  readonly members: number
  /** Every member is back within this of its own close, in milliseconds. Without it the time is only told. */
  readonly backMs?: number
  /** No more connections end within a second. */
  readonly closedInASecond?: number
}

/**
 * Does something to a release while members talk, lets all of them talk once more, and compares: nothing acknowledged lost, doubled or out
 * of order, everybody recovered, counts right. Records what was measured before it fails.
 */
export async function scenario(
  place: Place,
  expected: Expectation,
  fault: (traffic: Traffic) => Promise<void>,
): Promise<Conclusion> {
  const { id, members, backMs, closedInASecond } = expected
  await using traffic = await startTraffic(id, members, place)
  await flows(traffic)
  const faultAt = traffic.elapsedMs()
  const [, tookMs] = await timed(() => fault(traffic))
  await traffic.areBack()
  await flows(traffic)
  const mostClosed = traffic.mostClosedInASecond()
  const conclusion = await traffic.conclude()
  const { violations, countsTookMs, awayMs, experiences, refusalCodes } = conclusion
  const longestAwayMs = awayMs.at(-1) ?? 0
  const isSlope = closedInASecond === undefined || mostClosed <= closedInASecond
  const isBack = backMs === undefined || longestAwayMs <= backMs
  const areCountsRight = countsTookMs <= COUNTS_MS
  const targets = [
    'nothing lost, doubled, out of order or not recovered',
    `counts right within ${seconds(COUNTS_MS)}`,
    ...(backMs === undefined ? [] : [`each back within ${seconds(backMs)} of its close`]),
    ...(closedInASecond === undefined ? [] : [`at most ${closedInASecond} closed in a second`]),
  ]
  const moment = `it was done at ${seconds(faultAt)}`
  if (!isBack || violations.length > 0) report(id, ...conclusion.slowest, moment)
  if (conclusion.refusals.length > 0) report(id, ...conclusion.refusals, moment)
  await record({
    id,
    what: expected.what,
    measured: [
      `${violations.length} violations`,
      `${conclusion.acknowledged} acknowledged and ${conclusion.received} received by ${members} members`,
      `${experiences.disconnects} connections lost, ${experiences.recovered} recovered, ${experiences.failedAttempts} attempts to come back failed before`,
      ...(awayMs.length === 0
        ? []
        : [
            `away for ${seconds(percentile(awayMs, 0.5))} (median), ${seconds(percentile(awayMs, 0.99))} (p99), ${seconds(longestAwayMs)} (longest)`,
          ]),
      `said again: ${experiences.refused} refused${refusalCodes === '' ? '' : ` (${refusalCodes})`}, ${experiences.unanswered} unanswered`,
      `at most ${mostClosed} closed in a second`,
      `counts right after ${seconds(countsTookMs)}`,
      `it took ${seconds(tookMs)}`,
    ].join('; '),
    target: targets.join('; '),
    isMet: violations.length === 0 && isSlope && isBack && areCountsRight,
  })
  expect(violationLines(id, violations)).toEqual([])
  expect({ mostClosed, isSlope }).toMatchObject({ isSlope: true })
  expect({ longestAwayMs, isBack }).toMatchObject({ isBack: true })
  expect({ countsTookMs, areCountsRight }).toMatchObject({ areCountsRight: true })
  return conclusion
}
