/** One line of the table. */
export interface Row {
  readonly what: string
  readonly measured: string
  readonly target: string
  readonly isMet: boolean
  /** The figures behind it, units in their names. */
  readonly figures: Readonly<Record<string, number>>
}

/** The value below which the share `q` of the sorted samples lies (nearest rank). */
export function percentile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}
