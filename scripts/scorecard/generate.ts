// Writes what follows from the results of runs: docs/scorecard.md and docs/autoscaling.svg. With --check it writes nothing and fails
// with the names of those that are not current.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { drawLines } from '../bench/line-chart.ts'
import { autoscalingChart, Samples } from './autoscaling.ts'
import { scorecard } from './page.ts'
import { readResults } from './result.ts'
import { SECTIONS } from './sections.ts'

const DOCS = new URL('../../docs/', import.meta.url)

const text = (name: string): Promise<string | undefined> =>
  readFile(new URL(name, DOCS), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })

const files = [...new Set(SECTIONS.map(({ file }) => file))]
const results = new Map(
  await Promise.all(
    files.map(async (file) => [file, await readResults(new URL(file, DOCS))] as const),
  ),
)
const page = fileURLToPath(new URL('scorecard.md', DOCS))
const documents = new Map([
  [
    'scorecard.md',
    await format(scorecard(SECTIONS, results), { ...(await resolveConfig(page)), filepath: page }),
  ],
])
const samples = await text('results/autoscaling.json')
if (samples !== undefined)
  documents.set('autoscaling.svg', drawLines(autoscalingChart(Samples.parse(JSON.parse(samples)))))

const isCheck = process.argv.includes('--check')
for (const [name, content] of documents) {
  if ((await text(name)) === content) continue
  if (isCheck) {
    console.error(`docs/${name} is not current: npm run docs:generate`)
    process.exitCode = 1
  } else {
    await writeFile(new URL(name, DOCS), content)
    console.log(`docs/${name} written`)
  }
}
