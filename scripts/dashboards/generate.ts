// Writes charts/roomcast/dashboards/*.json from the dashboards beside this file. With --check it writes nothing and fails with the
// names of those that are not current. The chart ships every file of that folder.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { format, resolveConfig } from 'prettier'
import { access } from './access.ts'
import { gateways } from './gateways.ts'
import { log } from './log.ts'
import { overview } from './overview.ts'
import { presence } from './presence.ts'
import { runtime } from './runtime.ts'

const FOLDER = 'charts/roomcast/dashboards'
const DASHBOARDS: ReadonlyMap<string, Dashboard> = new Map([
  ['overview.json', overview()],
  ['gateways.json', gateways()],
  ['log.json', log()],
  ['presence.json', presence()],
  ['access.json', access()],
  ['runtime.json', runtime()],
])

const isCheck = process.argv.includes('--check')
for (const [name, dashboard] of DASHBOARDS) {
  const file = fileURLToPath(new URL(`../../${FOLDER}/${name}`, import.meta.url))
  const options = { ...(await resolveConfig(file)), filepath: file }
  const current = await format(JSON.stringify(dashboard), options)
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === current) continue
  if (isCheck) {
    console.error(`${FOLDER}/${name} is not current: npm run docs:generate`)
    process.exitCode = 1
  } else {
    await writeFile(file, current)
    console.log(`${FOLDER}/${name} written`)
  }
}
