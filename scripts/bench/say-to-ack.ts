import { joinRoom } from '../../test/support/clients.ts'
import { startDeployment } from '../../test/support/deployment.ts'
import { median, percentile, type Row } from './row.ts'

/** The first messages find code that is not compiled yet. */
const WARM_UP = 2_000
const ROUNDS = 5
const MESSAGES = 2_000
const TARGET_P99_MS = 5

/**
 * From `say` to its acknowledgement in an idle system: one member, one message at a time, through gateway, broker and Redis with its
 * fsync. Several rounds; the row has the median of their p99s.
 */
export async function measureSayToAck(): Promise<Row> {
  await using deployment = await startDeployment({
    gateways: 1,
    env: { SAY_RATE_PER_SECOND: '1000000', SAY_BURST: '1000000', LOG_LEVEL: 'warn' },
  })
  const client = await joinRoom(deployment.gateways[0]?.url ?? '', 'bench', 'alice')
  const say = async (): Promise<number> => {
    const started = performance.now()
    const { ok } = await client.ask('say', { text: 'x'.repeat(64) })
    if (!ok) throw new Error('a message was refused')
    return performance.now() - started
  }
  for (let i = 0; i < WARM_UP; i++) await say()
  const rounds: { p50: number; p99: number; max: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const samples: number[] = []
    for (let i = 0; i < MESSAGES; i++) samples.push(await say())
    samples.sort((a, b) => a - b)
    rounds.push({
      p50: percentile(samples, 0.5),
      p99: percentile(samples, 0.99),
      max: samples.at(-1) ?? Number.NaN,
    })
  }
  client.close()
  const p99s = rounds.map(({ p99 }) => p99)
  const figures = {
    p50Ms: median(rounds.map(({ p50 }) => p50)),
    p99Ms: median(p99s),
    lowestP99Ms: Math.min(...p99s),
    highestP99Ms: Math.max(...p99s),
    maxMs: Math.max(...rounds.map(({ max }) => max)),
  }
  const ms = (value: number): string => `${value.toFixed(2)} ms`
  return {
    what: 'say to ack, idle system',
    measured: `p50 ${ms(figures.p50Ms)}, p99 ${ms(figures.p99Ms)} (rounds ${ms(figures.lowestP99Ms)} to ${ms(figures.highestP99Ms)}), longest ${ms(figures.maxMs)}`,
    target: `p99 at most ${TARGET_P99_MS} ms`,
    isMet: figures.p99Ms <= TARGET_P99_MS,
    figures,
  }
}
