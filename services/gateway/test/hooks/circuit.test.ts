import { expect, it } from '@jest/globals'
import { admit, answered, CLOSED, failed, type Circuit } from '../../src/hooks/circuit.ts'

const PATIENCE_MS = 2_000

/** A circuit after so many failures in a row at a time. */
const after = (failures: number, at: number): Circuit =>
  Array.from({ length: failures }).reduce<Circuit>((circuit) => failed(circuit, at), CLOSED)

it('a backend that fails now and then is asked on', () => {
  let circuit: Circuit = CLOSED
  for (let i = 0; i < 100; i++) {
    circuit = after(4, i)
    expect(admit(circuit, i, PATIENCE_MS).isAdmitted).toBe(true)
    circuit = answered()
  }
  expect(circuit).toEqual(CLOSED)
})

it('one that failed five times in a row rests, and what was under way meanwhile changes nothing', () => {
  const open = after(5, 100)
  expect(open).toEqual({ kind: 'open', untilMs: 1_100, restMs: 1_000 })
  expect(failed(open, 900)).toBe(open)
  expect(admit(open, 1_099, PATIENCE_MS)).toEqual({ circuit: open, isAdmitted: false })
})

it('after the rest one request finds out, and no other goes with it', () => {
  const first = admit(after(5, 100), 1_100, PATIENCE_MS)
  expect(first.isAdmitted).toBe(true)
  expect(admit(first.circuit, 1_101, PATIENCE_MS).isAdmitted).toBe(false)
  expect(answered()).toEqual(CLOSED)
  // Its end never came: another one goes.
  expect(admit(first.circuit, 3_100, PATIENCE_MS).isAdmitted).toBe(true)
})

it('rests get longer while it fails, up to half a minute', () => {
  let circuit = after(5, 0)
  const rests: number[] = []
  for (let now = 0; rests.length < 8;) {
    if (circuit.kind !== 'open') throw new Error('it is to rest')
    rests.push(circuit.restMs)
    now = circuit.untilMs
    circuit = failed(admit(circuit, now, PATIENCE_MS).circuit, now)
  }
  expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
})
