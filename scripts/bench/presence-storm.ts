import { setTimeout as delay } from 'node:timers/promises'
import { getJson, startDeployment } from '../../test/support/deployment.ts'
import { createCrowd, startCrowdReporter } from './presence-crowd.ts'
import { spread, type Row } from './row.ts'

const GATEWAYS = 200
const GATEWAY_MEMBERS = 5_000
const ROOMS = 100_000
const LIMIT_MS = 120_000
const LOOK_MS = 250
const TARGET_MS = 30_000

/**
 * All gateways of a large cluster find a replica of presence at the same moment, as after its restart: how long it takes until it has
 * counted every member, and whether it took one that was only waiting to be heard for silent.
 */
export async function measurePresenceStorm(): Promise<Row> {
  await using deployment = await startDeployment({
    gateways: 0,
    brokers: 0,
    // As it is by default. With none it would tell counts of all rooms to all gateways while it is still told the members.
    env: { LOG_LEVEL: 'warn', WARMUP_MS: '4000' },
  })
  const [presence] = deployment.presences
  if (presence === undefined) throw new Error('presence did not start')
  const crowd = createCrowd({ rooms: ROOMS, seed: 1 })
  const crowds = Array.from({ length: GATEWAYS }, () =>
    Array.from({ length: GATEWAY_MEMBERS }, () => crowd.member()),
  )
  const startedMs = performance.now()
  const reporters = crowds.map((members, i) => {
    const reporter = startCrowdReporter(presence.url, i)
    for (const member of members) reporter.joined(member)
    return reporter
  })
  let counted = 0
  while (counted < GATEWAYS * GATEWAY_MEMBERS && performance.now() - startedMs < LIMIT_MS) {
    await delay(LOOK_MS)
    counted = (await getJson<{ members: number }>(`${presence.url}/v1/stats`)).members
  }
  const tookMs = performance.now() - startedMs
  const metrics = await (await fetch(`${presence.metricsUrl}/metrics`)).text()
  const expired = Number(
    /^roomcast_presence_expired_leases_total(?:{.*})? (\d+)/m.exec(metrics)?.[1],
  )
  await Promise.all(reporters.map((reporter) => reporter.close()))
  const isComplete = counted === GATEWAYS * GATEWAY_MEMBERS
  return {
    id: 'presence-storm',
    what: `${GATEWAYS} gateways of ${GATEWAY_MEMBERS} members report to a new replica at once`,
    measured: `${isComplete ? 'all' : String(counted)} counted after ${(tookMs / 1_000).toFixed(1)} s, ${expired} leases ran out`,
    target: `all after ${TARGET_MS / 1_000} s, no lease runs out`,
    isMet: isComplete && tookMs <= TARGET_MS && expired === 0,
    figures: { presence: { tookMs: spread([tookMs]), expired: spread([expired]) } },
    notes: [],
  }
}
