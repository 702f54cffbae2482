import type { Credentials } from '../clients/credentials.ts'
import { startDeployment, type Deployment } from '../../test/support/deployment.ts'
import { startNginx } from '../../test/support/nginx.ts'
import {
  checkCounts,
  compare,
  converge,
  gather,
  refusalsOf,
  settle,
  sum,
  unduly,
  type Loss,
} from './audit.ts'
import type { Violation } from './checks.ts'
import { planFaults, randomFrom, type Fault, type Part } from './faults.ts'
import { createInjection, type Outcome } from './injection.ts'
import { startMember, type ChaosMember, type Experiences } from './members.ts'

const REPLICAS: Replicas = { gateway: 4, broker: 2, presence: 2, redis: 1 }
/** What a gateway logs, with a reason, when a client asked for its session in vain. */
const NOT_RECOVERED = 'not recovered'
const MEMBERS_PER_ROOM = 30
/** A member says something about so often, more or less by half. */
const TALK_EVERY_MS = 2_000
const RECOVERY_WINDOW_MS = 120_000
const PING_MS = { interval: 2_000, timeout: 3_000 } as const
/** How long counts may take to be right after the last connection that a gateway can still hold has timed out. */
const COUNT_LIMIT_MS = 4_000

/** How many of each part there are. There is one Redis. */
export type Replicas = Readonly<Record<Part, number>>

export interface ChaosOptions {
  readonly seed: number
  readonly durationMs: number
  readonly clients: number
  readonly replicas?: Replicas
  /** Gateways require tokens made by this secret, and members have them. Otherwise they are open. */
  readonly jwtSecret?: string | undefined
  /** Told what happens while it happens. */
  readonly note?: (line: string) => void
}

export interface ChaosResult {
  readonly seed: number
  readonly outcomes: readonly Outcome[]
  readonly violations: readonly Violation[]
  readonly experiences: Readonly<Experiences>
  readonly losses: readonly Loss[]
  readonly clients: number
  readonly acknowledged: number
  /** Logged messages that arrived at members. */
  readonly received: number
  /** How long presence needed until its counts were right. */
  readonly countsTookMs: number
}

/**
 * One run: a deployment behind a real nginx that knows nothing of sessions, members on every transport that talk, faults from the seed,
 * and when all of it is well again, the checks. Bounded by its limits; leaves no process behind.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const {
    seed,
    durationMs,
    clients,
    replicas = REPLICAS,
    jwtSecret,
    note = () => undefined,
  } = options
  const credentials: Credentials =
    jwtSecret === undefined ? { kind: 'none' } : { kind: 'secret', secret: jwtSecret }
  await using deployment = await startDeployment({
    gateways: replicas.gateway,
    brokers: replicas.broker,
    presences: replicas.presence,
    env: {
      // Gateways say at this level why a member is not recovered.
      LOG_LEVEL: 'debug',
      RECOVERY_WINDOW_MS: String(RECOVERY_WINDOW_MS),
      HISTORY_SIZE: '1000000',
      QUIT_GRACE_MS: '1500',
      PING_INTERVAL_MS: String(PING_MS.interval),
      PING_TIMEOUT_MS: String(PING_MS.timeout),
      DRAIN_PROPAGATION_MS: '300',
      DRAIN_SPREAD_MS: '1500',
      SHUTDOWN_TIMEOUT_MS: '15000',
      ...(jwtSecret === undefined ? {} : { AUTH_JWT_SECRET: jwtSecret }),
    },
  })
  await using nginx = await startNginx(
    deployment.gateways.map(({ url }) => new URL(url).host),
    'round_robin',
  )
  const rooms = Array.from(
    { length: Math.ceil(clients / MEMBERS_PER_ROOM) },
    (_, i) => `chaos ${i + 1}`,
  )
  const members = Array.from({ length: clients }, (_, i) =>
    startMember(nginx.url, rooms[i % rooms.length] ?? '', i + 1, credentials),
  )
  try {
    await gather(members)
    note(`${clients} members in ${rooms.length} rooms`)
    const random = randomFrom(seed ^ 0x5eed)
    for (const member of members) member.talk(() => TALK_EVERY_MS * (0.5 + random()))
    const faults = planFaults({ seed, durationMs, replicas })
    const outcomes = await injectAll(deployment, faults, note)
    note('no more faults; waiting for all to be well')
    const unsettled = await settle(members)
    const logs = await converge(deployment.brokers[0]?.url ?? '', rooms, members)
    const { violations: wrongCounts, tookMs } = await checkCounts(
      deployment.presences.map(({ url }) => url),
      rooms,
      members,
      PING_MS.interval + PING_MS.timeout + COUNT_LIMIT_MS,
    )
    // Connections that a busy machine broke since: each is to have its outcome. Who does not come back is counted as neither.
    await gather(members).catch(() => undefined)
    const records = members.map(({ record }) => record)
    const losses = lossesOf(deployment, members)
    return {
      seed,
      outcomes,
      clients,
      violations: [
        ...outcomes.flatMap(failureOf),
        ...unsettled,
        ...compare(logs, members),
        ...wrongCounts,
        ...members.flatMap(refusalsOf),
        ...losses.flatMap(unduly),
      ],
      losses,
      experiences: sum(members.map(({ experiences }) => experiences)),
      acknowledged: records.reduce((n, { acknowledged }) => n + acknowledged.length, 0),
      received: records.reduce(
        (n, { stretches }) => n + stretches.reduce((m, { entries }) => m + entries.length, 0),
        0,
      ),
      countsTookMs: tookMs,
    }
  } finally {
    for (const member of members) member.close()
  }
}

/** Begins each fault at its time; resolves when all are over. */
async function injectAll(
  deployment: Deployment,
  faults: readonly Fault[],
  note: (line: string) => void,
): Promise<readonly Outcome[]> {
  const injection = createInjection(deployment)
  const started = Date.now()
  return Promise.all(
    faults.map(async (fault) => {
      await new Promise((resolve) => {
        setTimeout(resolve, fault.atMs - (Date.now() - started))
      })
      const outcome = await injection.inject(fault)
      const { kind, replica, atMs } = fault
      const { result, tookMs, note: more } = outcome
      note(`${(atMs / 1_000).toFixed(1)} s: ${kind} ${replica + 1} ${result} ${tookMs} ms ${more}`)
      return outcome
    }),
  )
}

function failureOf({ fault, result, note }: Outcome): Violation[] {
  if (result !== 'failed') return []
  return [{ kind: 'never back', where: `${fault.part} ${fault.replica + 1}`, detail: note }]
}

/** What the members that were told have lost, with the reason that the gateway logged under the new id. */
function lossesOf(deployment: Deployment, members: readonly ChaosMember[]): readonly Loss[] {
  const reasons = new Map(
    deployment
      .logged()
      .flatMap(({ msg, sid, reason }) => (msg === NOT_RECOVERED ? [[sid, reason]] : [])),
  )
  return members.flatMap(({ record, losses }) =>
    losses.map(({ sid, awayMs }) => {
      const found = reasons.get(sid)
      const reason = typeof found === 'string' ? found : 'none given'
      const isWithinLimits = awayMs <= RECOVERY_WINDOW_MS && reason !== 'too_many'
      return { member: record.name, reason, awayMs, isWithinLimits }
    }),
  )
}
