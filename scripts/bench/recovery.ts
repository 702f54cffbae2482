import { RoomId } from '@roomcast/protocol'
import { createRedisLog } from '@roomcast/roomlog'
import { startDeployment } from '../../test/support/deployment.ts'
import { until } from '../../test/support/processes.ts'
import { READ_BUFFER_BYTES } from '../clients/raw-connection.ts'
import { cpuSeconds } from './process-usage.ts'
import { rawMember, type RawMember } from './raw-member.ts'
import { spread, type Row, type Spread } from './row.ts'

/** Members of the killed gateway. */
const MEMBERS = 10_000
/** Messages in each room's log before: the cost of a recovery must not tell them apart. */
const LENGTHS = [1_000, 100_000] as const
/** Messages that everybody misses. */
const MISSED = 5
/** Connections under way at a time. */
const CONCURRENCY = 100
const APPENDED_AT_A_TIME = 500
/** By how much a member of the long room may cost Redis more than one of the short room. */
const TARGET_RATIO = 1.25

interface Cost {
  readonly gatewayUs: number
  readonly brokerUs: number
  readonly redisUs: number
  /** Commands and scripts of Redis for each member, and the time that Redis itself counts for them. */
  readonly calls: number
  readonly commandUs: number
  readonly seconds: number
}

/**
 * kill -9 of a gateway with 10,000 members, all of whom come back to another one with the id and offset that they have: CPU time for each
 * recovered member, by process, with a short and with a long log. Websockets alone, without a client library.
 */
export async function measureRecovery(): Promise<readonly Row[]> {
  const costs: Cost[] = []
  for (const length of LENGTHS) costs.push(await costOf(length))
  const [short, long] = costs
  if (short === undefined || long === undefined) throw new Error('two lengths were to be measured')
  const ratio = long.commandUs / short.commandUs
  const tell = (cost: Cost, length: number): string =>
    `log of ${length}: gateway ${us(cost.gatewayUs)}, Redis ${us(cost.redisUs)} (${cost.calls.toFixed(1)} commands, ${us(cost.commandUs)} in them), broker ${us(cost.brokerUs)}, all back in ${cost.seconds.toFixed(1)} s`
  return [
    {
      id: 'recovery',
      what: `recovery of ${MEMBERS} members of a killed gateway, CPU for each`,
      measured: [tell(short, LENGTHS[0]), tell(long, LENGTHS[1])].join('; '),
      target: `Redis with the long log at most ${TARGET_RATIO} times the short one`,
      isMet: ratio <= TARGET_RATIO,
      figures: { 'short log': figuresOf(short), 'long log': figuresOf(long) },
      notes: [],
    },
  ]
}

const us = (value: number): string => `${value.toFixed(0)} us`

function figuresOf(cost: Cost): Record<string, Spread> {
  return Object.fromEntries(
    Object.entries(cost).map(([name, value]) => [name, spread([value as number])]),
  )
}

async function costOf(length: number): Promise<Cost> {
  await using deployment = await startDeployment({
    gateways: 2,
    env: {
      LOG_LEVEL: 'warn',
      HISTORY_SIZE: String(2 * length),
      NOTICE_MAX_MEMBERS: '0',
      QUIT_GRACE_MS: '600000',
    },
  })
  const { redis, gateways, brokers } = deployment
  const [doomed, other] = gateways
  const pids = [other?.child.pid, brokers[0]?.child.pid].map(Number)
  const redisPid = Number(/process_id:(\d+)/.exec(await redis.admin.info('server'))?.[1])
  const room = RoomId.parse('recovered')
  const log = createRedisLog({ url: redis.url, retention: { historySize: 2 * length } })
  await until('Redis', () => log.isAvailable())
  const append = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= APPENDED_AT_A_TIME) {
      const messages = Array.from({ length: Math.min(left, APPENDED_AT_A_TIME) }, (_, i) => ({
        payload: JSON.stringify({
          event: 'broadcast_say',
          room,
          data: { username: 'bob', text: 'x'.repeat(64) },
          id: `${left - i}`,
          ts: Date.now(),
        }),
      }))
      const [result] = await log.append([{ room, messages }])
      if (result?.status !== 'appended') throw new Error('an append failed')
    }
  }
  await append(length)
  const readBuffer = Buffer.alloc(READ_BUFFER_BYTES)
  const members = Array.from({ length: MEMBERS }, (_, i) =>
    rawMember(room, `member ${i}`, readBuffer),
  )
  await connectAll(members, doomed?.url ?? '')
  doomed?.signal('SIGKILL')
  await doomed?.ended()
  await append(MISSED)

  await redis.admin.config('RESETSTAT')
  const before = await Promise.all([...pids, redisPid].map(cpuSeconds))
  const started = performance.now()
  await connectAll(members, other?.url ?? '')
  await until('all missed messages', () => members.every((member) => member.received() >= MISSED))
  const seconds = (performance.now() - started) / 1_000
  const after = await Promise.all([...pids, redisPid].map(cpuSeconds))
  const { calls, usec } = commandsOf(await redis.admin.info('commandstats'))
  if (!members.every((member) => member.isRecovered() && member.received() === MISSED))
    throw new Error('somebody was not recovered, or got something twice')
  for (const member of members) member.close()
  await log.close()
  const [gatewayUs = 0, brokerUs = 0, redisUs = 0] = after.map(
    (seconds, i) => ((seconds - (before[i] ?? 0)) * 1_000_000) / MEMBERS,
  )
  return {
    gatewayUs,
    brokerUs,
    redisUs,
    calls: calls / MEMBERS,
    commandUs: usec / MEMBERS,
    seconds,
  }
}

async function connectAll(members: readonly RawMember[], url: string): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let member = members[next++]; member !== undefined; member = members[next++])
      await member.connect(url)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

/** What clients called, commands within scripts left out: their time is the script's. */
function commandsOf(stats: string): { calls: number; usec: number } {
  let calls = 0
  let usec = 0
  for (const [, name, n, time] of stats.matchAll(/cmdstat_(\S+):calls=(\d+),usec=(\d+)/g)) {
    if (name !== 'evalsha' && name !== 'hgetall') continue
    calls += Number(n)
    usec += Number(time)
  }
  return { calls, usec }
}
