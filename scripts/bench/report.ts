/**
 * npm run bench:report -- [FILE]
 *
 * Writes the charts and the table of docs/performance.md from what `npm run bench -- --json FILE` measured (docs/bench.json).
 */
import { readFile, writeFile } from 'node:fs/promises'
import { drawBars } from './bar-chart.ts'
import { chartsOf } from './charts.ts'
import { readRecord } from './record.ts'
import { tableOf, withTable } from './table.ts'

const DOCS = new URL('../../docs/', import.meta.url)
const PAGE = new URL('performance.md', DOCS)

const source = process.argv[2] ?? new URL('bench.json', DOCS)
const { machine, rows } = await readRecord(source)
const charts = chartsOf(rows)
for (const [file, chart] of charts) await writeFile(new URL(file, DOCS), drawBars(chart))
const images = [...charts].map(([file, { title }]) => `![${title}](${file})`)
const result = [tableOf(machine, rows), ...images].join('\n\n')
await writeFile(PAGE, withTable(await readFile(PAGE, 'utf8'), result))
