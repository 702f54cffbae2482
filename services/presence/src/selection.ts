/** The first `limit` items in an order, sorted, without sorting the rest: O(n log limit) and no copy of the input. */
export function firstOf<T>(
  items: Iterable<T>,
  limit: number,
  compare: (a: T, b: T) => number,
): T[] {
  const first: T[] = []
  for (const item of items) {
    const last = first[first.length - 1]
    if (first.length === limit && (last === undefined || compare(item, last) >= 0)) continue
    let low = 0
    let high = first.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = first[middle]
      if (other !== undefined && compare(item, other) >= 0) low = middle + 1
      else high = middle
    }
    first.splice(low, 0, item)
    if (first.length > limit) first.pop()
  }
  return first
}

/** Order of text by code units: the same on every machine. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
