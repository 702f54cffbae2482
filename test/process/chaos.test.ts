import { expect, it } from '@jest/globals'
import { runChaos } from '../../scripts/chaos/run.ts'
import { killsOf, violationLines } from '../../scripts/chaos/table.ts'

/** Its plan kills a gateway, a broker, a presence replica and Redis in its first seconds, and drains a gateway. */
const SEED = 45
const DURATION_MS = 5_000
/** Fewer than what `npm run chaos` takes: starting them is most of the time. */
const REPLICAS = { gateway: 3, broker: 2, presence: 1, redis: 1 } as const

it('whatever is killed, stopped or drained, nothing acknowledged is lost, doubled or out of order, and everybody is recovered', async () => {
  const result = await runChaos({
    seed: SEED,
    durationMs: DURATION_MS,
    clients: 40,
    replicas: REPLICAS,
  })
  expect(violationLines(`seed ${SEED}`, result.violations)).toEqual([])
  expect(killsOf([result])).toBe(4)
  expect(result.acknowledged).toBeGreaterThan(result.clients)
  expect(result.received).toBeGreaterThan(result.acknowledged)
  expect(result.experiences.recovered).toBeGreaterThan(0)
}, 180_000)
