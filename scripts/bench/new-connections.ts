import { setTimeout as pause } from 'node:timers/promises'
import { connectMembers } from './contestant.ts'
import { spread, spreadText, type Row, type Spread } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem, type System } from './systems.ts'

const MEMBERS_PER_ROOM = 500
const TARGET = 1.3
/** What is left to do when the last one has joined, such as reports. */
const REST_MS = 500

/** New connections per CPU second of the servers, from the upgrade to the answered `join`. All of them stay. */
export async function measureNewConnections(options: BenchOptions): Promise<readonly Row[]> {
  const { scale, cores, flags, profiles, note } = options
  const figures: Record<string, Record<string, Spread>> = {}
  for (const name of scale.systems) {
    await using system = await startSystem(name, {
      cores,
      profiles,
      flags: name === 'roomcast' ? flags : [],
    })
    await using stack = new AsyncDisposableStack()
    const connect = async (round: number): Promise<number> => {
      const groups = Array.from({ length: scale.newConnections / MEMBERS_PER_ROOM }, (_, i) => ({
        room: `hall-${round}-${i}`,
        members: MEMBERS_PER_ROOM,
        witnesses: 0,
        senders: 0,
      }))
      const before = await cpuOf(system)
      stack.use(await connectMembers(system, groups, { cores, isApart: false, isBrowser: true }))
      await pause(REST_MS)
      return scale.newConnections / ((await cpuOf(system)) - before)
    }
    // The first ones find code that is not compiled yet.
    await connect(0)
    const rounds: number[] = []
    for (let round = 1; round <= scale.rounds; round++) rounds.push(await connect(round))
    figures[name] = { connectionsPerCpuSecond: spread(rounds) }
    note(`${name}: ${spreadText(spread(rounds), 0)} connections per CPU second`)
  }
  const median = (name: string): number => figures[name]?.['connectionsPerCpuSecond']?.median ?? 0
  const roomcast = median('roomcast')
  const stock = Math.max(...scale.systems.filter((name) => name !== 'roomcast').map(median))
  return [
    {
      id: 'new-connections',
      what: 'new connections per CPU second, joins included',
      measured: `${roomcast.toFixed(0)}, stock ${stock.toFixed(0)}: ${(roomcast / stock).toFixed(2)} times`,
      target: `at least ${TARGET} times`,
      isMet: roomcast / stock >= TARGET,
      figures,
      notes: [],
    },
  ]
}

async function cpuOf(system: System): Promise<number> {
  return Object.values(await system.cpu()).reduce((sum, seconds) => sum + seconds, 0)
}
