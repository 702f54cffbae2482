/** One line of the table. */
export interface Row {
  readonly what: string
  readonly measured: string
  readonly target: string
  readonly isMet: boolean
  /** The figures behind it by system, units in their names. */
  readonly figures: Readonly<Record<string, Readonly<Record<string, Spread>>>>
  /** What a reader of the figures must know, such as a client that was the limit. */
  readonly notes: readonly string[]
}

/** The value of each round, and what they say together. */
export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
  readonly rounds: readonly number[]
}

/** The value below which the share `q` of the sorted samples lies (nearest rank). */
export function percentile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

export function spread(rounds: readonly number[]): Spread {
  const sorted = rounds.toSorted((a, b) => a - b)
  return {
    median: percentile(sorted, 0.5),
    lowest: sorted[0] ?? Number.NaN,
    highest: sorted.at(-1) ?? Number.NaN,
    rounds,
  }
}

/** `2.4 (2.1 to 2.9)` */
export function spreadText({ median, lowest, highest }: Spread, digits = 1): string {
  const text = (value: number): string => value.toFixed(digits)
  return `${text(median)} (${text(lowest)} to ${text(highest)})`
}
