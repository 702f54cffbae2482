import { setTimeout as delay } from 'node:timers/promises'
import type { Reporter } from '../../services/gateway/src/reporter.ts'
import { getJson, startDeployment } from '../../test/support/deployment.ts'
import { until } from '../../test/support/processes.ts'
import { createCrowd, startCrowdReporter } from './presence-crowd.ts'
import { cpuSeconds } from './process-usage.ts'
import { spread, spreadText, type Row } from './row.ts'

const GATEWAYS = 20
const GATEWAY_MEMBERS = 500
const ROOMS = 1_000
/** Members of each gateway that leave in a second; as many join. */
const CHURN_PER_SECOND = 50
/** How often some of them do, in milliseconds: they do not come all at once. */
const CHURN_INTERVAL_MS = 20
const ROUNDS = 5
const ROUND_MS = 5_000
const TARGET_PERCENT = 5

/** Gateways' own reporters against a presence process, over websockets: how much of a core it takes to count who comes and goes. */
export async function measurePresenceLoad(): Promise<Row> {
  await using deployment = await startDeployment({
    gateways: 0,
    brokers: 0,
    env: { LOG_LEVEL: 'warn' },
  })
  const [presence] = deployment.presences
  const pid = presence?.child.pid
  if (presence === undefined || pid === undefined) throw new Error('presence did not start')
  const crowd = createCrowd({ rooms: ROOMS, seed: 1 })
  let told = 0
  const gateways = Array.from({ length: GATEWAYS }, (_, i): [Reporter, string[]] => {
    const reporter = startCrowdReporter(presence.url, i, (counts) => (told += counts))
    return [reporter, []]
  })
  const join = ([reporter, sids]: [Reporter, string[]]): void => {
    const member = crowd.member()
    reporter.joined(member)
    sids.push(member.sid)
  }
  for (const gateway of gateways) {
    for (let i = 0; i < GATEWAY_MEMBERS; i++) join(gateway)
    gateway[0].connections({ websocket: GATEWAY_MEMBERS, polling: 0 })
  }
  const counted = async (): Promise<number> =>
    (await getJson<{ members: number }>(`${presence.url}/v1/stats`)).members
  await until('all members', async () => (await counted()) === GATEWAYS * GATEWAY_MEMBERS)

  let owed = 0
  let lastMs = performance.now()
  let nextGateway = 0
  let churned = 0
  const churning = setInterval(() => {
    const nowMs = performance.now()
    owed += (GATEWAYS * CHURN_PER_SECOND * (nowMs - lastMs)) / 1_000
    lastMs = nowMs
    for (; owed >= 1; owed--) {
      const gateway = gateways[nextGateway++ % GATEWAYS]
      const left = gateway?.[1].shift()
      if (gateway === undefined || left === undefined) continue
      gateway[0].left(left)
      join(gateway)
      churned++
    }
  }, CHURN_INTERVAL_MS)
  // What runs for the first time is compiled.
  await delay(ROUND_MS)
  const percents: number[] = []
  const [churnedBefore, toldBefore] = [churned, told]
  for (let round = 0; round < ROUNDS; round++) {
    const [before, started] = [await cpuSeconds(pid), performance.now()]
    await delay(ROUND_MS)
    const seconds = (performance.now() - started) / 1_000
    percents.push((((await cpuSeconds(pid)) - before) / seconds) * 100)
  }
  const seconds = (ROUNDS * ROUND_MS) / 1_000
  const [churnPerSecond, countsPerSecond] = [
    (churned - churnedBefore) / seconds,
    (told - toldBefore) / seconds,
  ]
  clearInterval(churning)
  await until('the same members', async () => (await counted()) === GATEWAYS * GATEWAY_MEMBERS)
  await Promise.all(gateways.map(([reporter]) => reporter.close()))
  const percent = spread(percents)
  return {
    id: 'presence-load',
    what: `presence with ${GATEWAYS} gateways of ${GATEWAY_MEMBERS} members, a tenth of whom change each second`,
    measured: `${spreadText(percent)} % of a core, ${churnPerSecond.toFixed(0)} members replaced and ${countsPerSecond.toFixed(0)} counts told a second`,
    target: `under ${TARGET_PERCENT} % of a core`,
    isMet: percent.median < TARGET_PERCENT,
    figures: {
      presence: {
        percent,
        churnPerSecond: spread([churnPerSecond]),
        countsPerSecond: spread([countsPerSecond]),
      },
    },
    notes: [],
  }
}
