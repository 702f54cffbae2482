/**
 * npm run bench -- [--json FILE]
 *
 * Measures what docs/performance.md states, on this machine, over loopback, with every service in a process of its own and a real Redis
 * (appendfsync always). Prints a table with the targets, and ends with 1 when one is missed.
 */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { measureChattingAgain } from './chatting-again.ts'
import { measureRecovery } from './recovery.ts'
import { measureSayToAck } from './say-to-ack.ts'
import type { Row } from './row.ts'

const { values } = parseArgs({ options: { json: { type: 'string' } } })

const rows: readonly Row[] = [
  await measureSayToAck(),
  await measureChattingAgain(),
  await measureRecovery(),
]

const [cpu] = cpus()
process.stdout.write(
  `Node ${process.version}, ${cpus().length} cores (${cpu?.model ?? 'unknown'})\n\n`,
)
for (const { what, measured, target, isMet } of rows) {
  process.stdout.write(`${isMet ? 'met   ' : 'MISSED'}  ${what}: ${measured} (target: ${target})\n`)
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(rows, null, 2)}\n`)
process.exitCode = rows.every(({ isMet }) => isMet) ? 0 : 1
