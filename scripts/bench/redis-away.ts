/**
 * node --conditions=source scripts/bench/redis-away.ts [--seconds 180]
 *
 * Redis killed for minutes while members keep talking: the resident memory of every process, and how soon after its return all of them
 * have what was said next.
 */
import { parseArgs } from 'node:util'
import { startDeployment } from '../../test/support/deployment.ts'
import { joinRoom, says, type TestClient } from '../../test/support/clients.ts'
import { until } from '../../test/support/processes.ts'
import { residentBytes } from './process-usage.ts'

/** How often each member tries to say something while Redis is away, in milliseconds. */
const SAY_EVERY_MS = 200
const SAMPLE_EVERY_MS = 1_000

export interface RedisAway {
  /** Attempts to say something while Redis was away, each with its answer. */
  readonly refused: number
  /** Resident memory of all services together, in bytes: when Redis went, the most in the first and in the last third, at the end. */
  readonly memory: {
    readonly before: number
    readonly firstThird: number
    readonly lastThird: number
    readonly after: number
  }
  /** From Redis's return until a message was acknowledged, and until every member had it. */
  readonly acknowledgedAfterMs: number
  readonly deliveredAfterMs: number
  readonly disconnects: number
}

/** Kills Redis for so long under the attempts of `clients` members on two gateways. */
export async function measureRedisAway(options: {
  readonly awayMs: number
  readonly clients: number
}): Promise<RedisAway> {
  const { awayMs, clients } = options
  await using deployment = await startDeployment({
    gateways: 2,
    brokers: 2,
    env: { LOG_LEVEL: 'warn' },
  })
  const { redis, gateways, brokers, presences } = deployment
  const pids = [...gateways, ...brokers, ...presences].map(({ child }) => Number(child.pid))
  const memory = async (): Promise<number> =>
    (await Promise.all(pids.map(residentBytes))).reduce((sum, bytes) => sum + bytes, 0)
  const members = await Promise.all(
    Array.from({ length: clients }, (_, i) =>
      joinRoom(gateways[i % gateways.length]?.url ?? '', `away ${i % 5}`, `member ${i}`),
    ),
  )
  let disconnects = 0
  for (const { socket } of members) socket.on('disconnect', () => disconnects++)
  // Code that is not compiled yet, and the first messages, are not what is looked at.
  for (let i = 0; i < 20; i++)
    await Promise.all(members.map((member) => sayOnce(member, `warm ${i}`)))
  const before = await memory()
  await redis.kill()
  const start = performance.now()
  const samples: { readonly at: number; readonly bytes: number }[] = []
  let refused = 0
  let isBack = false
  const answers: Promise<void>[] = []
  const talking = members.map(async (member, i) => {
    for (let n = 0; !isBack; n++) {
      answers.push(
        sayOnce(member, `${i} ${n}`).then((isTaken) => {
          if (!isTaken) refused++
        }),
      )
      await pause(SAY_EVERY_MS)
    }
  })
  while (performance.now() - start < awayMs) {
    await pause(Math.min(SAMPLE_EVERY_MS, awayMs / 6))
    samples.push({ at: performance.now() - start, bytes: await memory() })
  }
  await redis.restart()
  const returned = performance.now()
  isBack = true
  const rooms = [0, 1, 2, 3, 4].map((room) => members.filter((_, i) => i % 5 === room))
  const times = await Promise.all(
    rooms.map(async ([first, ...others]) => {
      if (first === undefined) return [0, 0] as const
      await until('an acknowledgement', () => sayOnce(first, 'back'))
      const acknowledged = performance.now() - returned
      await Promise.all([first, ...others].map((member) => member.got('the message', says('back'))))
      return [acknowledged, performance.now() - returned] as const
    }),
  )
  await Promise.all(talking)
  await Promise.all(answers)
  const after = await memory()
  const broken = disconnects
  for (const member of members) member.close()
  const most = (from: number, to: number): number =>
    Math.max(...samples.filter(({ at }) => at >= from && at <= to).map(({ bytes }) => bytes))
  return {
    refused,
    memory: {
      before,
      firstThird: most(0, awayMs / 3),
      lastThird: most((2 * awayMs) / 3, Infinity),
      after,
    },
    acknowledgedAfterMs: Math.max(...times.map(([acknowledged]) => acknowledged)),
    deliveredAfterMs: Math.max(...times.map(([, delivered]) => delivered)),
    disconnects: broken,
  }
}

async function sayOnce(member: TestClient, text: string): Promise<boolean> {
  return (await member.ask('say', { text, id: text })).ok
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

if (import.meta.main) {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '180' } } })
  const result = await measureRedisAway({ awayMs: Number(values.seconds) * 1_000, clients: 50 })
  const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MiB`
  const { before, firstThird, lastThird, after } = result.memory
  process.stdout.write(
    [
      `Redis away for ${values.seconds} s, ${result.refused} messages refused, ${result.disconnects} disconnects`,
      `memory of all services: ${mib(before)} before, at most ${mib(firstThird)} in the first third and ${mib(lastThird)} in the last, ${mib(after)} after`,
      `acknowledged again after ${result.acknowledgedAfterMs.toFixed(0)} ms, delivered after ${result.deliveredAfterMs.toFixed(0)} ms`,
      '',
    ].join('\n'),
  )
}
