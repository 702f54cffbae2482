import { describe, expect, it } from '@jest/globals'
import { apply, createState, type KnownPod, type PresenceEvent } from '../src/state.ts'

const WARMUP_MS = 4_000

/** A replica that has just started, and what it hears. */
function replica() {
  let now = 1_000
  const state = createState({ leaseMs: 3_000, warmupMs: WARMUP_MS }, now)
  const hear = (event: PresenceEvent): unknown => apply(state, event, now)
  return {
    isComplete: () => state.isComplete,
    pods: (...pods: readonly KnownPod[]) => hear({ t: 'pods', pods }),
    /** A gateway reports for the first time. */
    reports: (link: number, pod: string): void => {
      const hello = { t: 'hello', v: 1, instance: pod, pod, address: '', version: '1' } as const
      hear({ t: 'frame', link, frame: { ...hello, startedAt: 0 } })
      const connections = { polling: 0, websocket: 1 }
      const state = { t: 'state', n: 0, part: 0, last: true } as const
      hear({ t: 'frame', link, frame: { ...state, connections, draining: false, members: [] } })
    },
    beats: (link: number) => hear({ t: 'frame', link, frame: { t: 'beat', n: 0 } }),
    pass: (ms: number): void => {
      for (const end = now + ms; now < end;) {
        now += 500
        hear({ t: 'tick' })
      }
    },
  }
}

const pod = (name: string, more: Partial<KnownPod> = {}): KnownPod => ({
  uid: name,
  name,
  ip: '10.0.0.1',
  createdAtMs: 0,
  isTerminating: false,
  isOver: false,
  ...more,
})

describe('a replica that is told which gateways there are', () => {
  it('is complete as soon as each of them has reported, before the warm-up is over', () => {
    const r = replica()
    r.pods(pod('a'), pod('b'))
    r.reports(1, 'a')
    r.pass(500)
    expect(r.isComplete()).toBe(false)
    r.reports(2, 'b')
    r.pass(500)
    expect(r.isComplete()).toBe(true)
  })

  it('waits beyond the warm-up for one that has not found it yet, but not for ever', () => {
    const r = replica()
    r.pods(pod('a'), pod('b'))
    r.reports(1, 'a')
    for (let ms = 0; ms < WARMUP_MS + 9_500; ms += 500) {
      r.beats(1)
      r.pass(500)
      expect(r.isComplete()).toBe(false)
    }
    r.beats(1)
    r.pass(500)
    expect(r.isComplete()).toBe(true)
  })

  it.each([
    ['none', []],
    ['none that can have connections', [pod('a', { ip: '' }), pod('b', { isOver: true })]],
  ])('waits for the warm-up when there is %s', (_what, pods) => {
    const r = replica()
    r.pods(...pods)
    r.pass(WARMUP_MS - 500)
    expect(r.isComplete()).toBe(false)
    r.pass(500)
    expect(r.isComplete()).toBe(true)
  })
})
