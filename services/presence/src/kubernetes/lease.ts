/**
 * The decisions of an election by a Lease, as client-go makes them: whoever holds the lease leads, renews it while he does, and writes
 * it on the condition that nobody else wrote since he read it. A lease has run out when it was seen unchanged for its duration on the
 * observer's own clock: the times inside it are another machine's and are never compared. Pure: time and answers are arguments.
 */

/** How long a lease holds after its last change, in milliseconds. */
export const LEASE_DURATION_MS = 15_000
/** How long a leader leads without having renewed, in milliseconds: less than the lease holds, so that he stops before another begins. */
export const RENEW_DEADLINE_MS = 10_000
/** The pause between two attempts to get or renew a lease, in milliseconds. */
export const RETRY_MS = 2_000

/** What a lease says. */
export interface LeaseTerms {
  /** Empty: nobody, it was released. */
  readonly holder: string
  readonly durationMs: number
  /** On the holder's wall clock, in milliseconds since 1970: for people to read. */
  readonly acquiredAtMs: number
  readonly renewedAtMs: number
  /** How often it went from one holder to another. */
  readonly transitions: number
}

export interface StoredLease extends LeaseTerms {
  /** Changes with each write. */
  readonly version: string
}

/** One who stands for election, with what he knows. */
export interface Candidacy {
  readonly identity: string
  readonly seen: { readonly lease: StoredLease; readonly sinceMs: number } | undefined
  /** Whether `seen` may be written over without reading it again: it is the answer to our own last write. */
  readonly isCurrent: boolean
  /** Until when he leads, on his own clock. */
  readonly leadsUntilMs: number
}

export interface Time {
  /** A clock that never jumps, in milliseconds. */
  readonly clockMs: number
  /** Milliseconds since 1970. */
  readonly wallMs: number
}

export type Step =
  | { readonly do: 'read' }
  /** Somebody else holds it. */
  | { readonly do: 'wait' }
  | { readonly do: 'create'; readonly terms: LeaseTerms }
  | { readonly do: 'replace'; readonly version: string; readonly terms: LeaseTerms }

export type Write = Extract<Step, { do: 'create' | 'replace' }>

export function stand(identity: string): Candidacy {
  return { identity, seen: undefined, isCurrent: false, leadsUntilMs: Number.NEGATIVE_INFINITY }
}

export function isLeading({ leadsUntilMs }: Candidacy, clockMs: number): boolean {
  return clockMs < leadsUntilMs
}

/** The first step of an attempt: a leader renews what he wrote last, everybody else reads. */
export function begin(candidacy: Candidacy, time: Time): Step {
  const { seen, identity, isCurrent } = candidacy
  return isCurrent && seen?.lease.holder === identity
    ? renewal(candidacy, seen.lease, time)
    : { do: 'read' }
}

/** The step after reading: `found` is the lease, or undefined when there is none. */
export function afterRead(
  candidacy: Candidacy,
  found: StoredLease | undefined,
  time: Time,
): { readonly candidacy: Candidacy; readonly step: Step } {
  const { identity, seen } = candidacy
  if (found === undefined) {
    return {
      candidacy: { ...stand(identity), leadsUntilMs: candidacy.leadsUntilMs },
      step: { do: 'create', terms: acquired(identity, time, 0) },
    }
  }
  const sinceMs = seen !== undefined && isSame(seen.lease, found) ? seen.sinceMs : time.clockMs
  const next: Candidacy = { ...candidacy, seen: { lease: found, sinceMs } }
  if (found.holder === identity) return { candidacy: next, step: renewal(next, found, time) }
  // Whoever else holds it: what we believed of ourselves is over.
  const follower: Candidacy = { ...next, leadsUntilMs: Number.NEGATIVE_INFINITY }
  if (found.holder !== '' && time.clockMs < sinceMs + found.durationMs)
    return { candidacy: follower, step: { do: 'wait' } }
  const terms = acquired(identity, time, found.transitions + 1)
  return { candidacy: follower, step: { do: 'replace', version: found.version, terms } }
}

/**
 * What a write came to, which was sent at `sentAtMs` of the own clock: `conflict` when somebody else had written, which ends a
 * leadership at once; `failed` when nobody knows whether it arrived, which ends nothing before its time.
 */
export function afterWrite(
  candidacy: Candidacy,
  outcome: StoredLease | 'conflict' | 'failed',
  sentAtMs: number,
): Candidacy {
  if (outcome === 'failed') return { ...candidacy, isCurrent: false }
  if (outcome === 'conflict')
    return { ...candidacy, isCurrent: false, leadsUntilMs: Number.NEGATIVE_INFINITY }
  return {
    ...candidacy,
    seen: { lease: outcome, sinceMs: sentAtMs },
    isCurrent: true,
    // From when it was sent: the others may have seen it right then.
    leadsUntilMs: sentAtMs + RENEW_DEADLINE_MS,
  }
}

/** What a leader writes when he leaves, so that the next need not wait; undefined when it is not his to write. */
export function release(candidacy: Candidacy, { wallMs }: Time): Write | undefined {
  const { seen, identity } = candidacy
  if (seen?.lease.holder !== identity) return undefined
  const { version, transitions } = seen.lease
  return {
    do: 'replace',
    version,
    terms: {
      holder: '',
      durationMs: 1_000,
      acquiredAtMs: wallMs,
      renewedAtMs: wallMs,
      transitions,
    },
  }
}

function renewal({ identity }: Candidacy, lease: StoredLease, { wallMs }: Time): Write {
  const { version, acquiredAtMs, transitions } = lease
  return {
    do: 'replace',
    version,
    terms: {
      holder: identity,
      durationMs: LEASE_DURATION_MS,
      acquiredAtMs,
      renewedAtMs: wallMs,
      transitions,
    },
  }
}

function acquired(identity: string, { wallMs }: Time, transitions: number): LeaseTerms {
  return {
    holder: identity,
    durationMs: LEASE_DURATION_MS,
    acquiredAtMs: wallMs,
    renewedAtMs: wallMs,
    transitions,
  }
}

/** Whether the holder has written nothing in between. A change of anything else, such as a label, is no sign of his life. */
function isSame(a: StoredLease, b: StoredLease): boolean {
  return (
    a.holder === b.holder &&
    a.durationMs === b.durationMs &&
    a.acquiredAtMs === b.acquiredAtMs &&
    a.renewedAtMs === b.renewedAtMs &&
    a.transitions === b.transitions
  )
}
