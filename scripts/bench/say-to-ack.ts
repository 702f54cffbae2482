import { joinRoom } from '../../test/support/clients.ts'
import { percentile, spread, spreadText, type Row } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem } from './systems.ts'

/** The first messages find code that is not compiled yet. */
const WARM_UP = 2_000
const TEXT_BYTES = 64
const TARGET_P99_MS = 5

/**
 * From `say` to its acknowledgement in an idle system: one stock client, one message at a time, through gateway, broker and Redis with
 * its fsync. Several rounds; the row has the median of their percentiles.
 */
export async function measureSayToAck(options: BenchOptions): Promise<readonly Row[]> {
  const { scale, cores, flags, profiles } = options
  await using system = await startSystem('roomcast', { cores, flags, profiles })
  const client = await joinRoom(system.url, 'bench', 'alice')
  const say = async (): Promise<number> => {
    const started = performance.now()
    const { ok } = await client.ask('say', { text: 'x'.repeat(TEXT_BYTES) })
    if (!ok) throw new Error('a message was refused')
    return performance.now() - started
  }
  for (let i = 0; i < WARM_UP; i++) await say()
  const rounds: { p50: number; p99: number; max: number }[] = []
  for (let round = 0; round < scale.rounds; round++) {
    const samples: number[] = []
    for (let i = 0; i < scale.saysPerRound; i++) samples.push(await say())
    samples.sort((a, b) => a - b)
    rounds.push({
      p50: percentile(samples, 0.5),
      p99: percentile(samples, 0.99),
      max: samples.at(-1) ?? Number.NaN,
    })
  }
  client.close()
  const figures = {
    p50Ms: spread(rounds.map(({ p50 }) => p50)),
    p99Ms: spread(rounds.map(({ p99 }) => p99)),
    maxMs: spread(rounds.map(({ max }) => max)),
  }
  return [
    {
      what: 'say to ack, idle system',
      measured: `p50 ${figures.p50Ms.median.toFixed(2)} ms, p99 ${spreadText(figures.p99Ms, 2)} ms, longest ${figures.maxMs.highest.toFixed(2)} ms`,
      target: `p99 at most ${TARGET_P99_MS} ms`,
      isMet: figures.p99Ms.median <= TARGET_P99_MS,
      figures: { roomcast: figures },
      notes: [],
    },
  ]
}
