/** A steady flow: the event `count` (from 0) is due at `startedAt + count / perSecond`. Times in milliseconds. */
export interface Pace {
  readonly startedAt: number
  readonly perSecond: number
}

/** How many events are due at `now`, those before it included. */
export function dueCount({ startedAt, perSecond }: Pace, now: number): number {
  return now < startedAt ? 0 : Math.floor(((now - startedAt) * perSecond) / 1_000) + 1
}

/** When an event is due: who is late with it must not count from when he got to it. */
export function dueAt({ startedAt, perSecond }: Pace, count: number): number {
  return startedAt + (count * 1_000) / perSecond
}
