/**
 * npm run bench -- [--only ROW[,ROW...]] [--quick] [--rounds N] [--v8 FLAG[,FLAG...]] [--cpu-prof DIR] [--json FILE] [--quiet]
 *
 * Measures what docs/performance.md states, on this machine, over loopback: Roomcast, with every service in a process of its own and a
 * real Redis (appendfsync always), beside stock Socket.IO with its Redis adapter. Prints a table with the targets, and ends with 1 when
 * one is missed. `--json` adds the rows to a file, in the places of older ones. `--v8` gives Roomcast's processes other flags than the
 * one with which gateways are started, max-semi-space-size=4; `--cpu-prof` has each server process write a profile. Needs Linux, for CPU
 * times.
 */
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { measureAppends } from './appends.ts'
import { measureBigRoom } from './big-room.ts'
import { measureChattingAgain } from './chatting-again.ts'
import { measureClosedLoop } from './closed-loop.ts'
import { chooseCores } from './cores.ts'
import { thisMachine, type Run } from './machine.ts'
import { measureMeasuring } from './measuring.ts'
import { measureMemory } from './memory.ts'
import { measureNewConnections } from './new-connections.ts'
import { measureOpenLoop } from './open-loop.ts'
import { measureRecovery } from './recovery.ts'
import { addToRecord } from './record.ts'
import type { Row } from './row.ts'
import { measureSayToAck } from './say-to-ack.ts'
import { FULL, QUICK, type BenchOptions } from './scale.ts'
import { measureSmallRooms } from './small-rooms.ts'
import { measureStalledReader } from './stalled-reader.ts'
import { showRows } from './show.ts'

const ROWS: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Row[]>>> = {
  'closed-loop': measureClosedLoop,
  'open-loop': measureOpenLoop,
  'big-room': measureBigRoom,
  'small-rooms': measureSmallRooms,
  memory: measureMemory,
  'new-connections': measureNewConnections,
  appends: measureAppends,
  'say-to-ack': measureSayToAck,
  'stalled-reader': measureStalledReader,
  'chatting-again': measureChattingAgain,
  recovery: measureRecovery,
  measuring: measureMeasuring,
}
/** A reader is slow only after a while: too long for the quick form. */
const FULL_ONLY: readonly string[] = ['stalled-reader']

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    v8: { type: 'string', default: 'max-semi-space-size=4' },
    'cpu-prof': { type: 'string' },
    json: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
})

function refuse(sentence: string): never {
  process.stderr.write(`${sentence}\n`)
  process.exit(78)
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const names =
  values.only?.split(',') ??
  Object.keys(ROWS).filter((name) => !values.quick || !FULL_ONLY.includes(name))
for (const name of names)
  if (!Object.hasOwn(ROWS, name)) refuse(`--only knows ${Object.keys(ROWS).join(', ')}`)
const scale = values.quick ? QUICK : FULL
const rounds = Number(values.rounds ?? scale.rounds)
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
  refuse('--rounds takes a whole number from 1 to 100')
if (process.platform !== 'linux') refuse('the benchmark reads CPU times from /proc: it needs Linux')

const profiles = values['cpu-prof'] === undefined ? undefined : resolve(values['cpu-prof'])
if (profiles !== undefined) await mkdir(profiles, { recursive: true })
const cores = chooseCores()
// This process measures: it must not take time from what is measured.
cores.pin(process.pid, cores.others)

const startedAt = performance.now()
const runSoFar = (): Run => ({
  ...thisMachine(),
  isPinned: cores.isPinned,
  isQuick: values.quick,
  rounds,
  v8: values.v8,
  seconds: Math.round((performance.now() - startedAt) / 1_000),
})
const options = (name: string): BenchOptions => ({
  scale: { ...scale, rounds },
  cores,
  flags: values.v8
    .split(',')
    .filter((flag) => flag !== '')
    .map((flag) => `--${flag}`),
  profiles,
  note: (line) => {
    if (!values.quiet) print(`  ${name}: ${line}`)
  },
})

/** A row that breaks off is missed, and does not keep the others from being measured. */
async function measureRows(name: string): Promise<readonly Row[]> {
  try {
    return (await ROWS[name]?.(options(name))) ?? []
  } catch (error) {
    const measured = `broke off: ${error instanceof Error ? error.message : String(error)}`
    return [{ id: name, what: name, measured, target: 'any', isMet: false, figures: {}, notes: [] }]
  }
}

const rows: Row[] = []
for (const name of names) {
  const measured = await measureRows(name)
  rows.push(...measured)
  if (values.json !== undefined)
    await addToRecord(values.json, { machine: runSoFar(), rows: measured })
}

await showRows(rows, runSoFar(), undefined)
