/** What is done to a part of the system. */
export const FAULT_KINDS = [
  'kill gateway',
  'drain gateway',
  'pause gateway',
  'kill broker',
  'pause broker',
  'kill presence',
  'kill redis',
  'pause redis',
  'cut redis subscribers',
  'cut redis clients',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export type Part = 'gateway' | 'broker' | 'presence' | 'redis'

export interface Fault {
  readonly kind: FaultKind
  readonly part: Part
  /** Which replica of the part. */
  readonly replica: number
  /** When it begins, counted from the start of the run. */
  readonly atMs: number
  /** How long the replica stays stopped, or killed before it is started again. */
  readonly lastsMs: number
}

interface Shape {
  readonly part: Part
  /** How often it is chosen beside the others. */
  readonly weight: number
  readonly lastsMs: readonly [shortest: number, longest: number]
  /** How long the replica takes to be of use again after that: an estimate, which the run checks against the truth. */
  readonly recoversMs: number
}

const SHAPES: Readonly<Record<FaultKind, Shape>> = {
  'kill gateway': { part: 'gateway', weight: 5, lastsMs: [0, 2_000], recoversMs: 3_000 },
  'drain gateway': { part: 'gateway', weight: 2, lastsMs: [0, 1_000], recoversMs: 7_000 },
  'pause gateway': { part: 'gateway', weight: 3, lastsMs: [1_000, 6_000], recoversMs: 500 },
  'kill broker': { part: 'broker', weight: 3, lastsMs: [0, 2_000], recoversMs: 2_000 },
  'pause broker': { part: 'broker', weight: 2, lastsMs: [1_000, 6_000], recoversMs: 500 },
  'kill presence': { part: 'presence', weight: 2, lastsMs: [0, 2_000], recoversMs: 3_000 },
  'kill redis': { part: 'redis', weight: 2, lastsMs: [0, 1_500], recoversMs: 1_500 },
  'pause redis': { part: 'redis', weight: 1, lastsMs: [1_000, 6_000], recoversMs: 1_000 },
  'cut redis subscribers': { part: 'redis', weight: 1, lastsMs: [0, 0], recoversMs: 500 },
  'cut redis clients': { part: 'redis', weight: 1, lastsMs: [0, 0], recoversMs: 500 },
}

/** Replicas of a part that must stay as they are while others have a fault. The one Redis, and presence, may be away as a whole. */
export const SPARED: Readonly<Record<Part, number>> = {
  gateway: 1,
  broker: 1,
  presence: 0,
  redis: 0,
}

/** Shortest and longest time from one fault to the next. */
const PAUSE_MS = [100, 1_300] as const

/** Numbers from 0 up to 1 that look random and are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * The faults of a run, in order: the same for the same arguments. None begins on a replica that still has one, nor on the last replicas
 * that `SPARED` keeps, as far as `recoversMs` foretells it.
 */
export function planFaults(options: {
  readonly seed: number
  readonly durationMs: number
  readonly replicas: Readonly<Record<Part, number>>
}): readonly Fault[] {
  const { seed, durationMs, replicas } = options
  const random = randomFrom(seed)
  const between = ([low, high]: readonly [number, number]): number =>
    Math.round(low + random() * (high - low))
  const total = FAULT_KINDS.reduce((sum, kind) => sum + SHAPES[kind].weight, 0)
  const busyUntil = new Map<string, number>()
  const faults: Fault[] = []
  for (let atMs = between(PAUSE_MS); atMs < durationMs; atMs += between(PAUSE_MS)) {
    const kind = pick(random() * total)
    const { part, lastsMs, recoversMs } = SHAPES[kind]
    const whole = Array.from({ length: replicas[part] }, (_, i) => i).filter(
      (i) => (busyUntil.get(`${part} ${i}`) ?? 0) <= atMs,
    )
    const replica = whole[Math.floor(random() * whole.length)]
    const lasts = between(lastsMs)
    if (replica === undefined || whole.length <= SPARED[part]) continue
    busyUntil.set(`${part} ${replica}`, atMs + lasts + recoversMs)
    faults.push({ kind, part, replica, atMs, lastsMs: lasts })
  }
  return faults
}

function pick(place: number): FaultKind {
  let left = place
  for (const kind of FAULT_KINDS) {
    left -= SHAPES[kind].weight
    if (left < 0) return kind
  }
  return 'kill gateway'
}

/** Whether a fault of this kind is a kill -9. */
export function isKill(kind: FaultKind): boolean {
  return kind.startsWith('kill ')
}
