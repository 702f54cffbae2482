import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import {
  afterRead,
  afterWrite,
  begin,
  isLeading,
  LEASE_DURATION_MS,
  release,
  RENEW_DEADLINE_MS,
  RETRY_MS,
  stand,
  type Candidacy,
  type LeaseTerms,
  type Step,
  type StoredLease,
  type Time,
  type Write,
} from '../../src/kubernetes/lease.ts'

const at = (clockMs: number): Time => ({ clockMs, wallMs: 1_700_000_000_000 + clockMs })

function lease(holder: string, more: Partial<StoredLease> = {}): StoredLease {
  return {
    holder,
    durationMs: LEASE_DURATION_MS,
    acquiredAtMs: 1,
    renewedAtMs: 2,
    transitions: 3,
    version: 'v1',
    ...more,
  }
}

/** What a candidate does who has read the lease at each of these times. */
function stepsOf(identity: string, reads: readonly [number, StoredLease | undefined][]): Step[] {
  let candidacy = stand(identity)
  return reads.map(([ms, found]) => {
    const result = afterRead(candidacy, found, at(ms))
    candidacy = result.candidacy
    return result.step
  })
}

describe('a candidate', () => {
  it('reads before anything else', () => {
    expect(begin(stand('a'), at(0))).toEqual({ do: 'read' })
  })

  it('makes the lease where there is none', () => {
    expect(stepsOf('a', [[5, undefined]])).toEqual([
      {
        do: 'create',
        terms: {
          holder: 'a',
          durationMs: LEASE_DURATION_MS,
          acquiredAtMs: at(5).wallMs,
          renewedAtMs: at(5).wallMs,
          transitions: 0,
        },
      },
    ])
  })

  it('takes a released one at once', () => {
    expect(stepsOf('b', [[5, lease('')]])).toMatchObject([
      { do: 'replace', version: 'v1', terms: { holder: 'b', transitions: 4 } },
    ])
  })

  it('waits until it has seen the lease of another unchanged for its duration, whatever the times inside say', () => {
    const old = lease('a', { renewedAtMs: 0 })
    expect(
      stepsOf('b', [
        [1_000, old],
        [1_000 + LEASE_DURATION_MS - 1, old],
        [1_000 + LEASE_DURATION_MS, old],
      ]).map((step) => step.do),
    ).toEqual(['wait', 'wait', 'replace'])
  })

  it('waits anew with each renewal, but not for a change of something else', () => {
    const steps = stepsOf('b', [
      [0, lease('a')],
      [14_000, lease('a', { renewedAtMs: 3, version: 'v2' })],
      [28_000, lease('a', { renewedAtMs: 3, version: 'v3' })],
      [29_000, lease('a', { renewedAtMs: 3, version: 'v4' })],
    ])
    expect(steps.map((step) => step.do)).toEqual(['wait', 'wait', 'wait', 'replace'])
    expect(steps.at(-1)).toMatchObject({ version: 'v4' })
  })

  it('waits as long as the holder asked for', () => {
    const short = lease('a', { durationMs: 1_000 })
    const steps = stepsOf('b', [
      [0, short],
      [1_000, short],
    ])
    expect(steps.map((step) => step.do)).toEqual(['wait', 'replace'])
  })
})

describe('a leader', () => {
  const leading = afterWrite(stand('a'), lease('a'), 1_000)

  it('leads for ten seconds from when its write was sent', () => {
    expect(isLeading(leading, 1_000 + RENEW_DEADLINE_MS - 1)).toBe(true)
    expect(isLeading(leading, 1_000 + RENEW_DEADLINE_MS)).toBe(false)
  })

  it('renews without reading, and keeps when it began', () => {
    expect(begin(leading, at(3_000))).toEqual({
      do: 'replace',
      version: 'v1',
      terms: {
        holder: 'a',
        durationMs: LEASE_DURATION_MS,
        acquiredAtMs: 1,
        renewedAtMs: at(3_000).wallMs,
        transitions: 3,
      },
    })
  })

  it('is none any more at once when somebody else wrote', () => {
    const lost = afterWrite(leading, 'conflict', 3_000)
    expect(isLeading(lost, 3_001)).toBe(false)
    expect(begin(lost, at(3_001))).toEqual({ do: 'read' })
  })

  it('goes on until its time is over when it hears nothing, and reads before it writes again', () => {
    const unsure = afterWrite(leading, 'failed', 3_000)
    expect(isLeading(unsure, 1_000 + RENEW_DEADLINE_MS - 1)).toBe(true)
    expect(begin(unsure, at(5_000))).toEqual({ do: 'read' })
    const { step } = afterRead(unsure, lease('a', { version: 'v2' }), at(5_000))
    expect(step).toMatchObject({ do: 'replace', version: 'v2', terms: { transitions: 3 } })
  })

  it('is none any more when it reads the name of another', () => {
    const { candidacy } = afterRead(afterWrite(leading, 'failed', 3_000), lease('b'), at(5_000))
    expect(isLeading(candidacy, 5_000)).toBe(false)
  })

  it('gives back what it holds, and nothing else', () => {
    expect(release(leading, at(9))).toMatchObject({
      version: 'v1',
      terms: { holder: '', transitions: 3 },
    })
    expect(release(stand('a'), at(9))).toBe(undefined)
    expect(release(afterRead(leading, lease('b'), at(9)).candidacy, at(9))).toBe(undefined)
  })
})

// --- whatever happens, one at most leads

/** A lease as the API keeps it: written only by who knows its version. */
class Store {
  lease: StoredLease | undefined
  #version = 0

  write(step: Write): StoredLease | 'conflict' {
    const expected = step.do === 'create' ? undefined : step.version
    if (this.lease?.version !== expected) return 'conflict'
    return (this.lease = { ...step.terms, version: String(++this.#version) } satisfies StoredLease &
      LeaseTerms)
  }
}

interface Replica {
  candidacy: Candidacy
  /** Its clock and the real one differ by this; they run at the same rate. */
  readonly offsetMs: number
  nextAtMs: number
  /** A write that was sent and has not arrived. */
  underWay:
    { readonly step: Write; readonly sentAtMs: number; readonly arrivesAtMs: number } | undefined
}

const event = fc.record({
  who: fc.nat(2),
  what: fc.constantFrom('cut', 'slow', 'pause', 'restart', 'leave', 'nothing'),
  forMs: fc.nat(30_000),
  afterMs: fc.nat(8_000),
})

describe('three candidates, whatever fails', () => {
  it('never have two leaders, and have one when all is well again', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 25 }),
        fc.tuple(fc.nat(1_000_000), fc.nat(1_000_000), fc.nat(1_000_000)),
        fc.infiniteStream(fc.nat(400)),
        (events, offsets, jitter) => {
          const STEP_MS = 250
          const store = new Store()
          let names = 0
          const replicas = offsets.map((offsetMs): Replica => ({
            candidacy: stand(`r${++names}`),
            offsetMs,
            nextAtMs: 0,
            underWay: undefined,
          }))
          const faults = replicas.map(() => ({ cutUntilMs: 0, slowUntilMs: 0, pausedUntilMs: 0 }))
          let nextEvent = 0
          let eventAtMs = events[0]?.afterMs ?? 0
          let quietSinceMs = 0

          const settle = (replica: Replica, i: number, nowMs: number): void => {
            const { underWay } = replica
            if (underWay === undefined || nowMs < underWay.arrivesAtMs) return
            replica.underWay = undefined
            const outcome = store.write(underWay.step)
            // The answer may be lost on the way back.
            const isLost = nowMs < (faults[i]?.cutUntilMs ?? 0)
            replica.candidacy = afterWrite(
              replica.candidacy,
              isLost ? 'failed' : outcome,
              underWay.sentAtMs,
            )
          }
          const attempt = (replica: Replica, i: number, nowMs: number): void => {
            const fault = faults[i]
            const time = at(nowMs + replica.offsetMs)
            replica.nextAtMs = nowMs + RETRY_MS + (jitter.next().value ?? 0)
            let step = begin(replica.candidacy, time)
            if (nowMs < (fault?.cutUntilMs ?? 0)) {
              if (step.do !== 'read')
                replica.candidacy = afterWrite(replica.candidacy, 'failed', time.clockMs)
              return
            }
            if (step.do === 'read')
              ({ candidacy: replica.candidacy, step } = afterRead(
                replica.candidacy,
                store.lease,
                time,
              ))
            if (step.do === 'read' || step.do === 'wait') return
            const delayMs = nowMs < (fault?.slowUntilMs ?? 0) ? 3_500 : 0
            replica.underWay = { step, sentAtMs: time.clockMs, arrivesAtMs: nowMs + delayMs }
          }

          const leaders = (nowMs: number): number =>
            replicas.filter((one) => isLeading(one.candidacy, nowMs + one.offsetMs)).length
          const settleMs = 4 * LEASE_DURATION_MS
          for (
            let nowMs = 0;
            nowMs < quietSinceMs + settleMs || nextEvent < events.length;
            nowMs += STEP_MS
          ) {
            while (nextEvent < events.length && nowMs >= eventAtMs) {
              const { who, what, forMs } = events[nextEvent] ?? {
                who: 0,
                what: 'nothing',
                forMs: 0,
              }
              const [replica, fault] = [replicas[who], faults[who]]
              nextEvent++
              eventAtMs = nowMs + (events[nextEvent]?.afterMs ?? 0)
              quietSinceMs = Math.max(quietSinceMs, nowMs + forMs)
              if (replica === undefined || fault === undefined) continue
              if (what === 'cut') fault.cutUntilMs = nowMs + forMs
              if (what === 'slow') fault.slowUntilMs = nowMs + forMs
              if (what === 'pause') fault.pausedUntilMs = nowMs + forMs
              if (what === 'restart' || what === 'leave') {
                const last = release(replica.candidacy, at(nowMs + replica.offsetMs))
                if (what === 'leave' && last !== undefined && nowMs >= fault.cutUntilMs)
                  store.write(last)
                // What was under way still arrives; nobody is there to hear the answer.
                if (replica.underWay !== undefined) store.write(replica.underWay.step)
                replica.underWay = undefined
                replica.candidacy = stand(`r${++names}`)
                replica.nextAtMs = nowMs + 500
              }
            }
            replicas.forEach((replica, i) => {
              // A paused process answers nobody, and its clock goes on.
              if (nowMs < (faults[i]?.pausedUntilMs ?? 0)) return
              settle(replica, i, nowMs)
              if (replica.underWay === undefined && nowMs >= replica.nextAtMs)
                attempt(replica, i, nowMs)
              settle(replica, i, nowMs)
            })
            expect(leaders(nowMs)).toBeLessThanOrEqual(1)
            if (nowMs >= quietSinceMs + settleMs - STEP_MS && nextEvent === events.length)
              expect(leaders(nowMs)).toBe(1)
          }
        },
      ),
      { numRuns: 100 },
    )
  })
})
