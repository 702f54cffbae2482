import { expect, it } from '@jest/globals'
import { measureRedisAway } from '../../scripts/bench/redis-away.ts'

/** What the collector may not have looked at yet, over all processes. What is kept for each refused message would be far more in minutes. */
const SLACK_BYTES = 64 * 1_048_576

it('while Redis is away memory stays level under thousands of attempts, nobody is cut off, and all goes on within 2 s of its return', async () => {
  const { refused, memory, disconnects, acknowledgedAfterMs, deliveredAfterMs } =
    await measureRedisAway({ awayMs: 6_000, clients: 50 })
  expect(refused).toBeGreaterThan(500)
  expect(disconnects).toBe(0)
  expect(memory.lastThird).toBeLessThan(memory.firstThird + SLACK_BYTES)
  expect(memory.after).toBeLessThan(memory.firstThird + SLACK_BYTES)
  expect(acknowledgedAfterMs).toBeLessThan(2_000)
  expect(deliveredAfterMs).toBeLessThan(2_000)
}, 60_000)
