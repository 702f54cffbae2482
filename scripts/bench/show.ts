import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import type { Row } from './row.ts'

/** Prints a table, writes it as JSON where a file is named, and sets the status: 1 when a target was missed. */
export async function showRows(rows: readonly Row[], jsonFile: string | undefined): Promise<void> {
  const [cpu] = cpus()
  process.stdout.write(
    `Node ${process.version}, ${cpus().length} cores (${cpu?.model ?? 'unknown'})\n\n`,
  )
  for (const { what, measured, target, isMet } of rows) {
    const mark = isMet ? 'met   ' : 'MISSED'
    process.stdout.write(`${mark}  ${what}: ${measured} (target: ${target})\n`)
  }
  if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify(rows, null, 2)}\n`)
  process.exitCode = rows.every(({ isMet }) => isMet) ? 0 : 1
}
