const FIRST_MS = 500
const MAX_MS = 10_000

/** How long to wait after failure number `attempt` (from 1). A random part, so that all dashboards do not come back in step. */
export function backoffMs(attempt) {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** (attempt - 1))
  return ceiling / 2 + Math.random() * (ceiling / 2)
}
