import { readFile, writeFile } from 'node:fs/promises'
import type { Run } from './machine.ts'
import type { Row } from './row.ts'

/** What `--json` writes: the rows that were measured, and on what. */
export interface Record {
  readonly machine: Run
  readonly rows: readonly Row[]
}

export async function readRecord(file: string | URL): Promise<Record> {
  return JSON.parse(await readFile(file, 'utf8')) as Record
}

/** Rows measured anew in the places of the old ones; the others stay as they were. */
export function mergeRows(old: readonly Row[], rows: readonly Row[]): readonly Row[] {
  const fresh = new Map(rows.map((row) => [row.id, row]))
  const kept = old.map((row) => fresh.get(row.id) ?? row)
  return [...kept, ...rows.filter(({ id }) => !old.some((row) => row.id === id))]
}

/** Writes rows into a file that may hold others already. */
export async function addToRecord(file: string, { machine, rows }: Record): Promise<void> {
  let old: readonly Row[] = []
  try {
    old = (await readRecord(file)).rows
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const record: Record = { machine, rows: mergeRows(old, rows) }
  await writeFile(file, `${JSON.stringify(record, null, 2)}\n`)
}
