import { describe, expect, it } from '@jest/globals'
import {
  checkRoom,
  type Entry,
  type MemberRecord,
  type RoomRecord,
  type Violation,
} from '../chaos/checks.ts'
import {
  FAULT_KINDS,
  planFaults,
  randomFrom,
  SPARED,
  type Fault,
  type Part,
} from '../chaos/faults.ts'

const entry = (seq: number, epoch = 'a'): Entry => ({
  offset: `${epoch}:${seq}`,
  label: `broadcast_say bob ${seq}`,
  id: `m${seq}`,
})
const entries = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i))

const log: RoomRecord = { room: 'r', entries: entries(1, 10) }
const alice = (record: Partial<MemberRecord>): MemberRecord => ({
  name: 'alice',
  room: 'r',
  stretches: [],
  acknowledged: [],
  ...record,
})
const stretch = (from: string | undefined, ...received: Entry[]) => ({ from, entries: received })
const kinds = (violations: readonly Violation[]): string[] => violations.map(({ kind }) => kind)
const received = (...stretches: MemberRecord['stretches']): string[] =>
  kinds(checkRoom(log, [alice({ stretches })]))
const acknowledged = (...list: [id: string, offset: string][]): string[] =>
  kinds(checkRoom(log, [alice({ acknowledged: list.map(([id, offset]) => ({ id, offset })) })]))

describe('what a member got', () => {
  it('is right when it is the log from the join to the end', () => {
    expect(received(stretch('a:0', ...entries(1, 10)))).toEqual([])
    expect(received(stretch('a:7', ...entries(8, 10)))).toEqual([])
    expect(received(stretch('a:10'))).toEqual([])
  })

  it('may have a gap between two stretches, and one that never got to join', () => {
    const before = stretch('a:0', ...entries(1, 4))
    expect(received(before, stretch(undefined), stretch('a:7', ...entries(8, 10)))).toEqual([])
  })

  it('must not have a gap within a stretch, nor at its beginning', () => {
    const holed = stretch('a:0', ...entries(1, 4), ...entries(6, 10))
    expect(received(holed)).toEqual(['missed without being told'])
    expect(received(stretch('a:5', ...entries(7, 10)))).toEqual(['missed without being told'])
  })

  it('must reach the end of the log', () => {
    expect(received(stretch('a:0', ...entries(1, 9)))).toEqual(['missing at the end'])
    expect(received(stretch('a:9'))).toEqual(['missing at the end'])
  })

  it('must have each message once, in its stretch and over all of them', () => {
    const doubled = stretch('a:0', ...entries(1, 5), entry(5), ...entries(6, 10))
    expect(received(doubled)).toEqual(['received again'])
    const later = stretch('a:5', ...entries(6, 10))
    expect(received(stretch('a:0', ...entries(1, 6)), later)).toEqual(['received again'])
  })

  it('must be in order', () => {
    const swapped = stretch('a:0', ...entries(1, 4), entry(6), entry(5), ...entries(7, 10))
    expect(received(swapped)).toEqual(['missed without being told', 'received out of order'])
  })

  it('must be what the log says, offset and text', () => {
    const ahead = stretch('a:0', ...entries(1, 10), entry(11))
    expect(received(ahead)).toEqual(['not in the log'])
    const otherEpoch = stretch('a:0', ...entries(1, 9), entry(10, 'b'))
    expect(received(otherEpoch)).toEqual(['other than the log says'])
    const otherText = stretch('a:0', ...entries(1, 9), { ...entry(10), label: 'else' })
    expect(received(otherText)).toEqual(['other than the log says'])
  })

  it('must not come before the join', () => {
    expect(received(stretch(undefined, entry(1)), stretch('a:10'))).toEqual([
      'received before it joined',
    ])
  })

  it('goes on over the end of an epoch, since numbers do', () => {
    const two: RoomRecord = { room: 'r', entries: [...entries(1, 3), entry(4, 'b')] }
    const member = alice({ stretches: [stretch('b:3', entry(4, 'b'))] })
    expect(checkRoom(two, [member])).toEqual([])
  })
})

describe('what was acknowledged', () => {
  it('is in the log once, at the offset that was told, in the order in which it was said', () => {
    expect(acknowledged(['m2', 'a:2'], ['m5', 'a:5'])).toEqual([])
  })

  it('must not be missing, elsewhere, or in another order', () => {
    expect(acknowledged(['lost', 'a:2'])).toEqual(['acknowledged but not in the log'])
    expect(acknowledged(['m2', 'a:3'])).toEqual(['acknowledged with another offset'])
    expect(acknowledged(['m5', 'a:5'], ['m2', 'a:2'])).toEqual(["not in the sender's order"])
  })

  it('must not be in the log twice', () => {
    const twice: RoomRecord = { room: 'r', entries: [entry(1), { ...entry(2), id: 'm1' }] }
    expect(checkRoom(twice, [])).toEqual([
      { kind: 'in the log more than once', where: 'r', detail: 'm1 at 1, 2' },
    ])
  })
})

it('a log with a number left out is not whole', () => {
  const holed: RoomRecord = { room: 'r', entries: [entry(1), entry(3)] }
  expect(kinds(checkRoom(holed, []))).toEqual(['numbers of the log'])
})

describe('the faults of a run', () => {
  const replicas: Record<Part, number> = { gateway: 4, broker: 2, presence: 2, redis: 1 }
  const plan = (seed: number): readonly Fault[] =>
    planFaults({ seed, durationMs: 60_000, replicas })

  it('are the same for the same seed, and others for another', () => {
    expect(plan(7)).toEqual(plan(7))
    expect(plan(8)).not.toEqual(plan(7))
  })

  it('are of every kind sooner or later, in order, on replicas that there are', () => {
    const all = Array.from({ length: 20 }, (_, seed) => plan(seed))
    expect(new Set(all.flat().map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS))
    for (const faults of all) {
      const times = faults.map(({ atMs }) => atMs)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      for (const { part, replica } of faults) expect(replica).toBeLessThan(replicas[part])
    }
  })

  it('spare one gateway and one broker at any time', () => {
    for (const part of ['gateway', 'broker'] as const) {
      for (let seed = 0; seed < 20; seed++) {
        const faults = plan(seed).filter((fault) => fault.part === part)
        for (const { atMs } of faults) {
          const hurt = faults.filter(
            (other) => other.atMs <= atMs && atMs < other.atMs + other.lastsMs,
          )
          expect(new Set(hurt.map(({ replica }) => replica)).size).toBe(hurt.length)
          expect(replicas[part] - hurt.length).toBeGreaterThanOrEqual(SPARED[part])
        }
      }
    }
  })
})

it('numbers from a seed are spread over 0 to 1', () => {
  const random = randomFrom(1)
  const numbers = Array.from({ length: 1_000 }, random)
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...numbers)).toBeLessThan(1)
  const mean = numbers.reduce((sum, n) => sum + n, 0) / numbers.length
  expect(mean).toBeGreaterThan(0.45)
  expect(mean).toBeLessThan(0.55)
})
