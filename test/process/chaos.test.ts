import { expect, it } from '@jest/globals'
import { runChaos } from '../../scripts/chaos/run.ts'

/** A seed whose faults come soon and are of many kinds. */
const SEED = 1
const DURATION_MS = 6_000
const CLIENTS = 30

it('kills, stops and drains under traffic: each member gets each message once and in order, or is told', async () => {
  const { violations, outcomes, acknowledged, experiences } = await runChaos({
    seed: SEED,
    durationMs: DURATION_MS,
    clients: CLIENTS,
  })
  expect(violations).toEqual([])
  expect(outcomes.filter(({ result }) => result === 'done').length).toBeGreaterThanOrEqual(3)
  expect(acknowledged).toBeGreaterThan(CLIENTS)
  expect(experiences.recovered).toBeGreaterThan(0)
}, 120_000)
