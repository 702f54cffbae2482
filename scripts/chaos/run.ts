import type { MessageView } from '@roomcast/protocol'
import type { z } from 'zod'
import type { Credentials } from '../clients/credentials.ts'
import { getJson, startDeployment, type Deployment } from '../../test/support/deployment.ts'
import { startNginx } from '../../test/support/nginx.ts'
import { until, within } from '../../test/support/processes.ts'
import { checkRoom, type RoomRecord, type Violation, type ViolationKind } from './checks.ts'
import { planFaults, randomFrom, type Fault, type Part } from './faults.ts'
import { createInjection, type Outcome } from './injection.ts'
import { labelOf, startMember, type ChaosMember, type Experiences } from './members.ts'

const REPLICAS: Replicas = { gateway: 4, broker: 2, presence: 2, redis: 1 }
/** What a gateway logs, with a reason, when a client asked for its session in vain. */
const NOT_RECOVERED = 'not recovered'
const MEMBERS_PER_ROOM = 30
/** A member says something about so often, more or less by half. */
const TALK_EVERY_MS = 2_000
const RECOVERY_WINDOW_MS = 120_000
const PING_MS = { interval: 2_000, timeout: 3_000 } as const
/** How long all may take to be in their rooms: at first, and after the last fault. */
const GATHER_LIMIT_MS = 60_000
/** How long what was said may take to be acknowledged, and to be with everybody, after the last fault. */
const SETTLE_LIMIT_MS = 30_000
/** How long counts may take to be right after the last connection that a gateway can still hold has timed out. */
const COUNT_LIMIT_MS = 4_000
/** Messages that one request to a broker reads. */
const PAGE = 200

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

/** A time that a member was told that it is not recovered. */
export interface Loss {
  readonly member: string
  /** The gateway's reason. */
  readonly reason: string
  readonly awayMs: number
  /** It was back within the window, and had not missed too much: it should have been recovered. */
  readonly isWithinLimits: boolean
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
    const logs = await converge(deployment, rooms, members)
    const { violations: wrongCounts, tookMs } = await checkCounts(deployment, rooms, members)
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
        ...logs.flatMap((log) =>
          checkRoom(
            log,
            records.filter(({ room }) => room === log.room),
          ),
        ),
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

async function gather(members: readonly ChaosMember[]): Promise<void> {
  await until(
    'all members in their rooms',
    () => members.every((member) => member.isPresent()),
    GATHER_LIMIT_MS,
  )
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

/** Lets everybody finish his sentence, come back, and say one last thing. */
async function settle(members: readonly ChaosMember[]): Promise<readonly Violation[]> {
  const violations: Violation[] = []
  const late = (kind: ViolationKind, who: (member: ChaosMember) => string | undefined): void => {
    for (const member of members) {
      const detail = who(member)
      if (detail !== undefined) violations.push({ kind, where: member.record.name, detail })
    }
  }
  const acknowledged = async (all: Promise<unknown>): Promise<void> => {
    await within(SETTLE_LIMIT_MS, 'every acknowledgement', all).catch(() =>
      late('never acknowledged', (member) => member.pending()),
    )
  }
  await acknowledged(Promise.all(members.map((member) => member.hush())))
  await gather(members).catch(() =>
    late('never back', (member) =>
      member.isPresent() ? undefined : `by ${member.transports.join(' and ')}`,
    ),
  )
  if (violations.length === 0)
    await acknowledged(Promise.all(members.map((member) => member.say('final'))))
  return violations
}

/** The logs once everybody has the last entry of his, or as they are when the time is over. */
async function converge(
  deployment: Deployment,
  rooms: readonly string[],
  members: readonly ChaosMember[],
): Promise<readonly RoomRecord[]> {
  let logs: readonly RoomRecord[] = []
  const haveAll = async (): Promise<boolean> => {
    logs = await Promise.all(rooms.map((room) => readLog(deployment, room)))
    const ends = new Map(logs.map(({ room, entries }) => [room, entries.at(-1)?.offset]))
    return members.every(
      ({ record: { room, stretches } }) =>
        stretches.at(-1)?.entries.at(-1)?.offset === ends.get(room),
    )
  }
  // Who does not get there is named by the checks.
  await until('everybody to have everything', haveAll, SETTLE_LIMIT_MS).catch(() => undefined)
  return logs
}

/** All of a room's log, by the HTTP API of a broker. */
async function readLog({ brokers }: Deployment, room: string): Promise<RoomRecord> {
  const entries = []
  for (let after = '0:0'; ;) {
    const query = new URLSearchParams({ after, limit: String(PAGE) })
    const page = await getJson<{
      readonly messages: readonly z.infer<typeof MessageView>[]
      readonly offset: string
    }>(`${brokers[0]?.url}/v1/rooms/${encodeURIComponent(room)}/messages?${query.toString()}`)
    for (const message of page.messages) {
      entries.push({ offset: message.offset, label: labelOf(message), id: message.id })
    }
    if (page.messages.length === 0) return { room, entries }
    after = page.offset
  }
}

async function checkCounts(
  { presences }: Deployment,
  rooms: readonly string[],
  members: readonly ChaosMember[],
): Promise<{ violations: readonly Violation[]; tookMs: number }> {
  const started = Date.now()
  let violations: readonly Violation[] = []
  const areRight = async (): Promise<boolean> => {
    const wrong = await Promise.all(
      presences.flatMap(({ url }, i) => [
        countAt(`${url}/v1/stats`, 'members').then((count) =>
          differs(`presence ${i + 1}, members`, count, members.length),
        ),
        ...rooms.map(async (room) =>
          differs(
            `presence ${i + 1}, ${room}`,
            await countAt(`${url}/v1/rooms/${encodeURIComponent(room)}`, 'online'),
            members.filter(({ record }) => record.room === room).length,
          ),
        ),
      ]),
    )
    violations = wrong.flat()
    return violations.length === 0
  }
  const limitMs = PING_MS.interval + PING_MS.timeout + COUNT_LIMIT_MS
  await until('right counts', areRight, limitMs).catch(() => undefined)
  return { violations, tookMs: Date.now() - started }
}

async function countAt(url: string, field: string): Promise<number> {
  return Number((await getJson<Record<string, unknown>>(url))[field])
}

function differs(where: string, count: number, truth: number): Violation[] {
  return count === truth
    ? []
    : [{ kind: 'wrong count', where, detail: `${count} instead of ${truth}` }]
}

function failureOf({ fault, result, note }: Outcome): Violation[] {
  if (result !== 'failed') return []
  return [{ kind: 'never back', where: `${fault.part} ${fault.replica + 1}`, detail: note }]
}

function refusalsOf({ record, faults }: ChaosMember): Violation[] {
  return [...new Set(faults)].map((detail) => ({ kind: 'refused', where: record.name, detail }))
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

function unduly({ member, reason, awayMs, isWithinLimits }: Loss): Violation[] {
  if (!isWithinLimits) return []
  const detail = `${reason}, away for ${awayMs} ms`
  return [{ kind: 'not recovered within the limits', where: member, detail }]
}

function sum(all: readonly Readonly<Experiences>[]): Experiences {
  const total: Experiences = { disconnects: 0, recovered: 0, told: 0, refused: 0, unanswered: 0 }
  for (const one of all) {
    total.disconnects += one.disconnects
    total.recovered += one.recovered
    total.told += one.told
    total.refused += one.refused
    total.unanswered += one.unanswered
  }
  return total
}
