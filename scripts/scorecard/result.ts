import { readFile, writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { z } from 'zod'
import { thisMachine } from '../bench/machine.ts'

/** What a run found out about one promise. */
const ResultRow = z.object({
  /** The same for every run, so that a new run replaces it. */
  id: z.string(),
  what: z.string(),
  measured: z.string(),
  /** What was wanted; empty where the figure is for information. */
  target: z.string(),
  isMet: z.boolean(),
})
export type ResultRow = z.infer<typeof ResultRow>

/** A file of docs/results: rows, each with when and on what it was measured. Also docs/bench.json, whose rows share one machine. */
export const ResultFile = z.object({
  rows: z.array(
    ResultRow.extend({
      day: z.string().optional(),
      /** Processes that wanted a core at its end, the others of the machine too. */
      load: z.number().optional(),
      machine: z.object({ node: z.string(), cores: z.number(), cpu: z.string() }).optional(),
    }),
  ),
})
export type ResultFile = z.infer<typeof ResultFile>

/** An empty file when there is none yet. */
export async function readResults(file: string | URL): Promise<ResultFile> {
  try {
    return ResultFile.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { rows: [] }
    throw error
  }
}

/** Writes rows into a file of results: in the places of those of the same id, the others stay as they were. */
export async function addResults(file: string | URL, rows: readonly ResultRow[]): Promise<void> {
  const machine = thisMachine()
  const day = new Date().toISOString().slice(0, 10)
  const load = Math.round(loadavg()[0] ?? 0)
  const { rows: old } = await readResults(file)
  const fresh = new Map(rows.map((row) => [row.id, { ...row, day, load, machine }]))
  const kept = old.map((row) => fresh.get(row.id) ?? row)
  const added = [...fresh.values()].filter(({ id }) => !old.some((row) => row.id === id))
  await writeFile(file, `${JSON.stringify({ rows: [...kept, ...added] }, null, 2)}\n`)
}
