import { connectMembers, type Window } from './contestant.ts'
import { busyNotes, windowText } from './contest.ts'
import { spread, type Row, type Spread } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem } from './systems.ts'

const MEMBERS = 5_000
const PER_SECOND = 100
const TEXT_BYTES = 64
/** A message that is on its way when the window ends arrives in the next one: that much may lack. */
const ALL = 0.99
const P99_MS = 100

/**
 * A room that is too large for stock Socket.IO on one core. Each system by itself, one after another: one that can not keep up has a
 * backlog that would disturb the others, and gets one window.
 */
export async function measureBigRoom(options: BenchOptions): Promise<readonly Row[]> {
  const { scale, cores, flags, profiles, note } = options
  const figures: Record<string, Record<string, Spread>> = {}
  const notes: string[] = []
  let isProven = true
  for (const name of scale.systems) {
    const isRoomcast = name === 'roomcast'
    await using system = await startSystem(name, {
      cores,
      profiles,
      flags: isRoomcast ? flags : [],
      isBrokerAside: true,
    })
    const groups = [{ room: 'stadium', members: MEMBERS, witnesses: 4, senders: 4 }]
    await using contestant = await connectMembers(system, groups, { cores, isApart: true })
    const windows: Window[] = []
    for (let round = 0; round < (isRoomcast ? scale.rounds : 1); round++) {
      const talk = { kind: 'open', perSecond: PER_SECOND, textBytes: TEXT_BYTES } as const
      const window = await contestant.measure(talk, scale.warmUpMs, scale.windowMs)
      note(`${name}: ${windowText(window)}`)
      notes.push(...busyNotes(name, window))
      windows.push(window)
      if (!isRoomcast) continue
      const faults = await contestant.prove()
      if (faults.length > 0) isProven = false
      notes.push(...faults.map((fault) => `roomcast: ${fault}`))
    }
    const of = (value: (window: Window) => number): Spread => spread(windows.map(value))
    figures[name] = {
      deliveredShare: of(
        ({ deliveriesPerSecond, sentPerSecond }) => deliveriesPerSecond / sentPerSecond / MEMBERS,
      ),
      serverCores: of(({ serverCores }) => serverCores),
      clientCores: of(({ clientCores }) => clientCores),
      waitingShare: of(({ waitingShare }) => waitingShare),
      p50Ms: of(({ latency }) => latency.p50),
      p99Ms: of(({ latency }) => latency.p99),
    }
  }
  const delivered = (name: string): number => figures[name]?.['deliveredShare']?.median ?? 0
  const p99 = figures['roomcast']?.['p99Ms']?.median ?? Number.NaN
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`
  const stock = Math.max(
    ...scale.systems.filter((name) => name !== 'roomcast').map((name) => delivered(name)),
  )
  return [
    {
      id: 'big-room',
      what: `open loop, 1 room of ${MEMBERS} at ${PER_SECOND} messages a second, one core for the gateway`,
      measured: `${percent(delivered('roomcast'))} delivered in time, p99 ${p99.toFixed(0)} ms; stock ${percent(stock)}`,
      target: `all, p99 at most ${P99_MS} ms`,
      isMet: isProven && delivered('roomcast') >= ALL && p99 <= P99_MS,
      figures,
      notes: [...new Set(notes)],
    },
  ]
}
