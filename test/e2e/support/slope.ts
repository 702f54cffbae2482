/** How many of these times, in milliseconds, lie within one second at most. */
export function mostInASecond(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  let first = 0
  let most = 0
  for (const [last, at] of sorted.entries()) {
    while (at - (sorted[first] ?? at) >= 1_000) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}
