/** A replica that is young has a short past: what is shown grows with it, from this share of the range to the whole. */
const SHOWN_MIN = 1 / 5

export const MEASURES = ['connections', 'members', 'rooms', 'gateways']

/**
 * The totals over one range of time: what the replica remembers, carried on with what it tells. As in its memory a point is the highest
 * number of its step, and a hole is where it recorded none.
 */
export function createSeries() {
  let history
  let latest

  return {
    get isLoaded() {
      return history !== undefined
    },
    load(view) {
      history = view
      latest = undefined
    },
    /** What was true at `nowMs`. Steps that passed since the last call are taken for unchanged: the replica would have said so. */
    add(nowMs, stats) {
      if (history === undefined) return
      const { stepMs, startMs, lengthMs } = history
      const count = history.connections.length
      const index = Math.floor(nowMs / stepMs) - startMs / stepMs
      // What the replica remembered may be later than what it told before.
      if (index < Math.max(count - 1, 0)) return
      for (const measure of MEASURES) {
        const points = history[measure]
        const before = latest?.[measure] ?? points.at(-1) ?? null
        while (points.length < index) points.push(before)
        points[index] = Math.max(points[index] ?? 0, stats[measure])
        points.splice(0, points.length - lengthMs / stepMs)
      }
      latest = stats
      history.startMs += Math.max(0, index + 1 - lengthMs / stepMs) * stepMs
    },
    /** Times in seconds since 1970, as the chart takes them. */
    times() {
      const { startMs, stepMs, connections } = history
      return connections.map((_, i) => (startMs + i * stepMs) / 1_000)
    },
    points(measure) {
      return history[measure]
    },
    get range() {
      return history.range
    },
    /** How much time to show, up to now, in milliseconds. */
    get shownMs() {
      const { lengthMs, stepMs, connections } = history
      return Math.min(lengthMs, Math.max(lengthMs * SHOWN_MIN, connections.length * stepMs))
    },
    /** How many points that is. */
    get shownPoints() {
      return this.shownMs / history.stepMs
    },
    /** Undefined while nothing is recorded. */
    extremes(measure) {
      const known = history[measure].filter((value) => value !== null)
      if (known.length === 0) return undefined
      return { low: Math.min(...known), high: Math.max(...known) }
    },
  }
}
