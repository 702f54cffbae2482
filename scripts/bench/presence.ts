/**
 * npm run bench:presence -- [--json FILE]
 *
 * Measures what docs/performance.md states of presence: its state with 1,000,000 members in this process, then a presence process under
 * churn, then one to which 1,000,000 members are told at once, then what reporting costs a gateway. Prints a table with the targets, and ends with 1 when one is missed.
 */
import { parseArgs } from 'node:util'
import { thisMachine } from './machine.ts'
import { measurePresenceCore } from './presence-core.ts'
import { measurePresenceLoad } from './presence-load.ts'
import { measurePresenceStorm } from './presence-storm.ts'
import { measureReporting } from './reporting.ts'
import { showRows } from './show.ts'

const { values } = parseArgs({ options: { json: { type: 'string' } } })
const rows = [
  ...measurePresenceCore(),
  await measurePresenceLoad(),
  await measurePresenceStorm(),
  await measureReporting(),
]
await showRows(rows, thisMachine(), values.json)
