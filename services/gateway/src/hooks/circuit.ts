/** Failures in a row after which a backend is not asked for a while. */
const FAILURES_MAX = 5
/** How long it is not asked the first time, in milliseconds; twice as long after each attempt that fails, up to the last. */
const REST_FIRST_MS = 1_000
const REST_MAX_MS = 30_000

/**
 * Whether a backend is worth asking. `closed`: it is. `open`: it failed again and again, so it is left alone until `untilMs`; otherwise each
 * message would wait for its time-out. `trying`: one request is on its way to find out; the others are not asked meanwhile.
 */
export type Circuit =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly restMs: number }
  | { readonly kind: 'trying'; readonly untilMs: number; readonly restMs: number }

export const CLOSED: Circuit = { kind: 'closed', failures: 0 }

/** Whether a request may go out now, and the circuit after that. `patienceMs`: after how long an attempt without an end is given up. */
export function admit(
  circuit: Circuit,
  now: number,
  patienceMs: number,
): { readonly circuit: Circuit; readonly isAdmitted: boolean } {
  if (circuit.kind === 'closed') return { circuit, isAdmitted: true }
  if (now < circuit.untilMs) return { circuit, isAdmitted: false }
  const { restMs } = circuit
  return { circuit: { kind: 'trying', untilMs: now + patienceMs, restMs }, isAdmitted: true }
}

/** The circuit after an answer: whoever answers is there. */
export function answered(): Circuit {
  return CLOSED
}

/** The circuit after a request without an answer that can be used. */
export function failed(circuit: Circuit, now: number): Circuit {
  switch (circuit.kind) {
    case 'closed': {
      const failures = circuit.failures + 1
      return failures < FAILURES_MAX
        ? { kind: 'closed', failures }
        : { kind: 'open', untilMs: now + REST_FIRST_MS, restMs: REST_FIRST_MS }
    }
    case 'trying': {
      const restMs = Math.min(2 * circuit.restMs, REST_MAX_MS)
      return { kind: 'open', untilMs: now + restMs, restMs }
    }
    case 'open':
      // One that was sent before it opened.
      return circuit
  }
}
