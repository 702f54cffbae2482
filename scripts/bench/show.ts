import { writeFile } from 'node:fs/promises'
import type { Machine } from './machine.ts'
import type { Row } from './row.ts'

/** Prints what was measured, writes all of it as JSON where a file is named, and sets the status: 1 when a target was missed. */
export async function showRows(
  rows: readonly Row[],
  machine: Machine,
  jsonFile: string | undefined,
): Promise<void> {
  const { node, cores, cpu } = machine
  const print = (line: string): void => void process.stdout.write(`${line}\n`)
  print(`\nNode ${node}, ${cores} cores (${cpu})\n`)
  for (const { what, measured, target, isMet, notes } of rows) {
    print(`${isMet ? 'met   ' : 'MISSED'}  ${what}: ${measured} (target: ${target})`)
    for (const line of notes) print(`        ${line}`)
  }
  if (jsonFile !== undefined)
    await writeFile(jsonFile, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
  process.exitCode = rows.every(({ isMet }) => isMet) ? 0 : 1
}
