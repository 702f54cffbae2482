import { encodeMessage, RoomId, type AppendBatch } from '@roomcast/protocol'
import { createInternalAccess } from '@roomcast/runtime'
import { createBrokerClient } from '../../services/gateway/src/broker-client.ts'
import { FLIGHTS_MAX } from '../../services/gateway/src/outbox.ts'
import { spread, spreadText, type Row } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem } from './systems.ts'

const ROOMS = 100
const BATCH = 32
const TEXT_BYTES = 64
const TARGET = 50_000

/** Messages that a broker on one core appends a second, as a busy gateway sends them: full batches, several requests under way. */
export async function measureAppends(options: BenchOptions): Promise<readonly Row[]> {
  const { scale, cores, flags, profiles, note } = options
  await using system = await startSystem('roomcast', { cores, flags, profiles })
  const client = await createBrokerClient({
    urls: [system.brokerUrl ?? ''],
    internal: createInternalAccess(() => []),
    concurrency: FLIGHTS_MAX,
  })
  let appended = 0
  let isOver = false
  /** One request at a time for these rooms, as their order demands. */
  const flight = async (index: number): Promise<void> => {
    const rooms = Array.from({ length: ROOMS / FLIGHTS_MAX }, (_, i) =>
      RoomId.parse(`hall-${index}-${i}`),
    )
    for (let first = 1; !isOver; first += BATCH) {
      const batches = rooms.map((room) => batchOf(room, first))
      for (const result of await client.append(batches)) {
        if (result.status !== 'appended') throw new Error(`a batch is ${result.status}`)
        appended += result.seqs.length
      }
    }
  }
  const flights = Promise.all(Array.from({ length: FLIGHTS_MAX }, (_, i) => flight(i)))
  const rates: number[] = []
  const brokerCores: number[] = []
  const look = async () => ({
    atMs: performance.now(),
    appended,
    cpu: (await system.cpu())['broker'] ?? Number.NaN,
  })
  const wait = (ms: number): Promise<unknown> =>
    // A flight that fails ends the wait.
    Promise.race([flights, new Promise((resolve) => setTimeout(resolve, ms))])
  await wait(scale.warmUpMs)
  for (let round = 0; round < scale.rounds; round++) {
    const before = await look()
    await wait(scale.windowMs)
    const after = await look()
    const seconds = (after.atMs - before.atMs) / 1_000
    rates.push((after.appended - before.appended) / seconds)
    brokerCores.push((after.cpu - before.cpu) / seconds)
  }
  isOver = true
  await flights
  await client.close()
  const rate = spread(rates)
  const share = spread(brokerCores)
  note(`${spreadText(rate, 0)} a second, broker ${spreadText(share, 2)} cores`)
  return [
    {
      id: 'appends',
      what: `broker appends a second on one core, batches of ${BATCH} over ${ROOMS} rooms`,
      measured: `${Math.round(rate.median).toLocaleString('en')}, the broker using ${(100 * share.median).toFixed(0)} % of its core`,
      target: `at least ${TARGET.toLocaleString('en')}`,
      isMet: rate.median >= TARGET,
      figures: { roomcast: { appendsPerSecond: rate, brokerCores: share } },
      notes: [],
    },
  ]
}

function batchOf(room: RoomId, first: number): AppendBatch {
  const messages = Array.from({ length: BATCH }, (_, i) => ({
    payload: encodeMessage({
      event: 'broadcast_say',
      room,
      data: { username: 'alice', text: 'x'.repeat(TEXT_BYTES) },
      id: `bench-${first + i}`,
      ts: Date.now(),
    }),
  }))
  return { room, producer: { id: 'bench', first }, messages }
}
