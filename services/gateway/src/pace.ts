import { ClientError } from '@roomcast/protocol'
import type { Facts, Refused } from './facts.ts'

/**
 * Counts and refuses what came too soon: `waitMs` is how long its sender has to wait, 0 when it is in time. Throws `ClientError`
 * `rate_limited`, with that wait.
 */
export function assertPace(
  facts: Pick<Facts, 'refused'>,
  what: Refused,
  waitMs: number,
  message: string,
): void {
  if (waitMs <= 0) return
  facts.refused(what)
  throw new ClientError('rate_limited', message, { retryAfterMs: waitMs })
}
