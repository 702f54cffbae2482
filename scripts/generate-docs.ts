// Writes the documents that follow from the code: `npm run docs:generate`. With --check it writes nothing and fails with the
// names of those that are not current.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { commonSettings, internalSettings } from '@roomcast/runtime'
import { format, resolveConfig } from 'prettier'
import { gatewaySettings } from '../services/gateway/src/config.ts'
import { brokerSettings } from '../services/broker/src/config.ts'
import { presenceSettings } from '../services/presence/src/config.ts'
import { configPage, type ServiceSettings } from './docs/config-page.ts'

const SERVICES: readonly ServiceSettings[] = [
  { name: 'gateway', does: 'Terminates Socket.IO.', settings: gatewaySettings },
  {
    name: 'broker',
    does: 'Writes the room logs and serves the HTTP API for backends.',
    settings: brokerSettings,
  },
  { name: 'presence', does: 'Knows who is connected where.', settings: presenceSettings },
]

const DOCUMENTS: ReadonlyMap<string, string> = new Map([
  ['docs/config.md', configPage({ ...commonSettings, ...internalSettings }, SERVICES)],
])

const isCheck = process.argv.includes('--check')
for (const [name, content] of DOCUMENTS) {
  const file = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const current = await format(content, { ...(await resolveConfig(file)), filepath: file })
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === current) continue
  if (isCheck) {
    console.error(`${name} is not current: npm run docs:generate`)
    process.exitCode = 1
  } else {
    await writeFile(file, current)
    console.log(`${name} written`)
  }
}
