import type { HistoryRange, HistoryView } from '@roomcast/protocol'

/** The numbers that history keeps. */
export const MEASURES = ['connections', 'members', 'rooms', 'gateways'] as const
export type Sample = Readonly<Record<(typeof MEASURES)[number], number>>

/** How fine and how long each range is, in milliseconds: 300, 720 and 1,440 points. */
const RANGES = {
  '5m': { stepMs: 1_000, lengthMs: 300_000 },
  '2h': { stepMs: 10_000, lengthMs: 7_200_000 },
  '24h': { stepMs: 60_000, lengthMs: 86_400_000 },
} as const satisfies Record<HistoryRange, { stepMs: number; lengthMs: number }>

/**
 * The totals over time, in rings of a fixed size: all ranges together take less than 100 KB. Each step holds the highest of the samples
 * that fell into it, since peaks are what capacity is planned by. Times are milliseconds since 1970; samples of a clock that was set
 * back join what is there. Nothing is kept beyond this process.
 */
export class History {
  readonly #rings = {
    '5m': new Ring(RANGES['5m']),
    '2h': new Ring(RANGES['2h']),
    '24h': new Ring(RANGES['24h']),
  } satisfies Record<HistoryRange, Ring>

  record(sample: Sample, now: number): void {
    for (const ring of Object.values(this.#rings)) ring.record(sample, now)
  }

  /** The range that ends with the step of `now`, from its first sample on; null where a step had none. */
  read(range: HistoryRange, now: number): HistoryView {
    return { range, ...this.#rings[range].read(now) }
  }
}

class Ring {
  readonly #stepMs: number
  readonly #size: number
  /** The step that each slot holds, counted from 1970. A slot that holds another than the one asked for is a hole. */
  readonly #steps: Float64Array
  readonly #values: Readonly<Record<keyof Sample, Float64Array>>

  constructor({ stepMs, lengthMs }: { readonly stepMs: number; readonly lengthMs: number }) {
    this.#stepMs = stepMs
    this.#size = lengthMs / stepMs
    this.#steps = new Float64Array(this.#size).fill(-1)
    this.#values = {
      connections: new Float64Array(this.#size),
      members: new Float64Array(this.#size),
      rooms: new Float64Array(this.#size),
      gateways: new Float64Array(this.#size),
    }
  }

  record(sample: Sample, now: number): void {
    const step = Math.floor(now / this.#stepMs)
    const slot = step % this.#size
    const isOpen = this.#steps[slot] === step
    this.#steps[slot] = step
    for (const measure of MEASURES) {
      const values = this.#values[measure]
      values[slot] = isOpen ? Math.max(values[slot] ?? 0, sample[measure]) : sample[measure]
    }
  }

  read(now: number): Omit<HistoryView, 'range'> {
    const last = Math.floor(now / this.#stepMs)
    let first = last - this.#size + 1
    while (first <= last && !this.#has(first)) first++
    const column = (values: Float64Array): (number | null)[] =>
      Array.from({ length: last - first + 1 }, (_, i) =>
        this.#has(first + i) ? (values[(first + i) % this.#size] ?? null) : null,
      )
    return {
      stepMs: this.#stepMs,
      lengthMs: this.#stepMs * this.#size,
      startMs: first * this.#stepMs,
      connections: column(this.#values.connections),
      members: column(this.#values.members),
      rooms: column(this.#values.rooms),
      gateways: column(this.#values.gateways),
    }
  }

  #has(step: number): boolean {
    return step >= 0 && this.#steps[step % this.#size] === step
  }
}
