import { setTimeout as pause } from 'node:timers/promises'
import { connectMembers } from './contestant.ts'
import { spread, type Row, type Spread } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem, type System, type SystemName } from './systems.ts'

const MEMBERS_PER_ROOM = 1_000
const TARGET_KB = 10
const KB = 1_000

/** Memory counts as settled when it kept within this share for so many looks; a collector that is idle may never get there. */
const SETTLED_SHARE = 0.005
const SETTLED_LOOKS = 5
const LOOKS_MAX = 40
const LOOK_MS = 1_000

/** Resident memory for each joined websocket connection that is idle, with the headers that a browser sends. */
export async function measureMemory(options: BenchOptions): Promise<readonly Row[]> {
  const { scale, cores, flags, note } = options
  const connections = scale.idleConnections
  const variants: { label: string; name: SystemName; flags: readonly string[] }[] = [
    { label: 'roomcast', name: 'roomcast', flags },
    { label: 'stock', name: 'stock sharded', flags: [] },
    ...(flags.length === 0
      ? []
      : [{ label: 'stock, same flags', name: 'stock sharded', flags } as const]),
  ]
  const groups = Array.from({ length: connections / MEMBERS_PER_ROOM }, (_, i) => ({
    room: `hall-${i}`,
    members: MEMBERS_PER_ROOM,
    witnesses: 0,
    senders: 0,
  }))
  const figures: Record<string, Record<string, Spread>> = {}
  for (const { label, name, flags } of variants) {
    await using system = await startSystem(name, { cores, flags })
    const before = await settled(system)
    await using _members = await connectMembers(system, groups, {
      cores,
      isApart: false,
      isBrowser: true,
    })
    const after = await settled(system)
    const each = (after - before) / connections
    note(`${label}: ${(each / KB).toFixed(1)} KB each, ${(after / KB / KB).toFixed(0)} MB in all`)
    figures[label] = { bytesEach: spread([each]), bytesBefore: spread([before]) }
  }
  const kb = (label: string): number => (figures[label]?.['bytesEach']?.median ?? Number.NaN) / KB
  return [
    {
      id: 'memory',
      what: `resident memory of an idle joined websocket connection, at ${connections}`,
      measured: variants.map(({ label }) => `${label} ${kb(label).toFixed(1)} KB`).join(', '),
      target: `at most ${TARGET_KB} KB`,
      isMet: kb('roomcast') <= TARGET_KB,
      figures,
      notes: flags.length === 0 ? [] : [`roomcast ran with ${flags.join(' ')}`],
    },
  ]
}

async function settled(system: System): Promise<number> {
  const looks: number[] = []
  while (looks.length < LOOKS_MAX) {
    looks.push(await system.resident())
    const last = looks.slice(-SETTLED_LOOKS)
    const [low, high] = [Math.min(...last), Math.max(...last)]
    if (last.length === SETTLED_LOOKS && high - low <= SETTLED_SHARE * high) break
    await pause(LOOK_MS)
  }
  return looks.at(-1) ?? Number.NaN
}
