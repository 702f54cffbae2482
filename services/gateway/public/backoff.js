const FIRST_MS = 500
const MAX_MS = 10_000

/** How long to wait after failure number `attempt` (from 1). A random part, so that a full room does not come back in step. */
export function backoffMs(attempt) {
  const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** (attempt - 1))
  return ceiling / 2 + Math.random() * (ceiling / 2)
}

/** The wait that a refusal asks for, or a longer one when the trouble lasts. A rate limit knows exactly; trouble does not. */
export function retryDelayMs({ code, retryAfterMs }, attempt) {
  if (retryAfterMs === undefined) return backoffMs(attempt)
  const jitterMs = Math.random() * Math.min(retryAfterMs / 4, 500)
  return code === 'rate_limited'
    ? retryAfterMs + jitterMs
    : Math.max(retryAfterMs + jitterMs, backoffMs(attempt))
}
