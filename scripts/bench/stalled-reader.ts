import { connectMembers, type Window } from './contestant.ts'
import { busyNotes, windowText } from './contest.ts'
import { spread, type Row } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem, type System } from './systems.ts'

const MEMBERS = 1_000
const PER_SECOND = 50
/** Large, so that the system's own buffers are full soon. */
const TEXT_BYTES = 4_000
const EXTRA_P99_MS = 10
/** What a stalled reader may cost: what it may have unsent (`SLOW_CLIENT_BYTES`, 1 MiB), and the noise of a heap under load. */
const EXTRA_BYTES = 16 * 1_048_576
const LOOK_MS = 250
/** The memory of a process is settled when its highest grew by no more than this from one window to the next; windows it may take. */
const SETTLED_BYTES = 2 * 1_048_576
const SETTLING_MAX = 4
const MIB = 1_048_576

/** One member that reads nothing among a thousand that do: it is ended, and the others do not notice. */
export async function measureStalledReader(options: BenchOptions): Promise<readonly Row[]> {
  const { scale, cores, flags, profiles, note } = options
  await using system = await startSystem('roomcast', { cores, flags, profiles })
  const hall = { room: 'hall', members: MEMBERS, witnesses: 4, senders: 4 }
  await using contestant = await connectMembers(system, [hall], { cores, isApart: true })
  const talk = { kind: 'open', perSecond: PER_SECOND, textBytes: TEXT_BYTES } as const
  const measure = async (): Promise<{ window: Window; peakBytes: number }> => {
    await using peak = watchPeak(system)
    const window = await contestant.measure(talk, scale.warmUpMs, scale.stallMs)
    return { window, peakBytes: peak.bytes() }
  }
  // A process that begins to work takes more memory from window to window: what it would have taken anyway is not the reader's.
  const without: Awaited<ReturnType<typeof measure>>[] = []
  for (let grown = Infinity; grown > SETTLED_BYTES && without.length < SETTLING_MAX;) {
    const next = await measure()
    note(`without: ${windowText(next.window)}, at most ${mib(next.peakBytes)}`)
    grown = next.peakBytes - (without.at(-1)?.peakBytes ?? -Infinity)
    without.push(next)
  }
  const faults = [...(await contestant.prove())]
  const stalled = [{ room: 'hall', members: 0, witnesses: 0, senders: 0, stalled: 1 }]
  await using _stalled = await connectMembers(system, stalled, { cores, isApart: false })
  const beside = await measure()
  note(`beside: ${windowText(beside.window)}, at most ${mib(beside.peakBytes)}`)
  faults.push(...(await contestant.prove()))
  const ended = await system.metric('roomcast_gateway_closed_total', 'reason="slow"')
  const p99 = beside.window.latency.p99
  const usual = Math.max(...without.map(({ window }) => window.latency.p99))
  const extraBytes = beside.peakBytes - Math.max(...without.map(({ peakBytes }) => peakBytes))
  const figures = (measured: readonly (typeof beside)[]) => ({
    p50Ms: spread(measured.map(({ window }) => window.latency.p50)),
    p99Ms: spread(measured.map(({ window }) => window.latency.p99)),
    peakBytes: spread(measured.map(({ peakBytes }) => peakBytes)),
    serverCores: spread(measured.map(({ window }) => window.serverCores)),
  })
  return [
    {
      id: 'stalled-reader',
      what: `one stalled reader among ${MEMBERS}, ${TEXT_BYTES} B at ${PER_SECOND} messages a second`,
      measured: `the others' p99 ${p99.toFixed(1)} ms, ${usual.toFixed(1)} ms without it; memory at its highest ${mib(Math.max(0, extraBytes))} more; ${ended === 1 ? 'ended as slow' : `${ended} ended as slow`}`,
      target: `p99 at most ${EXTRA_P99_MS} ms above, memory at most ${mib(EXTRA_BYTES)} more, ended`,
      isMet:
        p99 <= usual + EXTRA_P99_MS &&
        extraBytes <= EXTRA_BYTES &&
        ended === 1 &&
        faults.length === 0,
      figures: { without: figures(without), beside: figures([beside]) },
      notes: [
        ...faults,
        ...without.flatMap(({ window }) => busyNotes('roomcast', window)),
        ...busyNotes('roomcast', beside.window),
      ],
    },
  ]
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`

/** Looks at a system's memory until disposed of. */
function watchPeak(system: System): { bytes(): number } & AsyncDisposable {
  let peak = 0
  let look = Promise.resolve()
  const timer = setInterval(() => {
    look = system.resident().then((bytes) => {
      peak = Math.max(peak, bytes)
    })
  }, LOOK_MS)
  return {
    bytes: () => peak,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await look
    },
  }
}
