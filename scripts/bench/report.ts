/**
 * npm run bench:report -- [FILE]
 *
 * Writes the charts and the table of docs/performance.md from what `npm run bench -- --json FILE` measured (docs/bench.json).
 */
import { readFile, writeFile } from 'node:fs/promises'
import { drawBars } from './bar-chart.ts'
import { chartsOf } from './charts.ts'
import type { Run } from './machine.ts'
import type { Row } from './row.ts'
import { tableOf, withTable } from './table.ts'

const DOCS = new URL('../../docs/', import.meta.url)
const PAGE = new URL('performance.md', DOCS)

const source = process.argv[2] ?? new URL('bench.json', DOCS)
const { machine, rows } = JSON.parse(await readFile(source, 'utf8')) as {
  machine: Run
  rows: readonly Row[]
}
for (const [file, chart] of chartsOf(rows)) await writeFile(new URL(file, DOCS), drawBars(chart))
await writeFile(PAGE, withTable(await readFile(PAGE, 'utf8'), tableOf(machine, rows)))
