/**
 * npm run chaos -- [--seed N] [--runs N] [--seconds N] [--clients N] [--jwt-secret SECRET] [--quiet] [--json FILE]
 *
 * Real processes with a real Redis (appendfsync always) behind a real nginx, and stock clients on mixed transports that talk, while
 * gateways, brokers, presence and Redis are killed with -9, stopped and continued, drained and started again: at random, from the seed
 * that is printed. `--runs` takes as many seeds, from the first one up. At the end everything that a member got is compared with the
 * log. With a secret gateways require tokens, and each member has its own. Prints a table of faults and outcomes, and why members were not
 * recovered; the status is 1 when anything was violated. `--json` puts the result into a file of docs/results.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { addResults } from '../scorecard/result.ts'
import { runChaos, type ChaosResult } from './run.ts'
import { killsOf, resultOf, table, violationLines } from './table.ts'

/** Far below what loopback ports and open files allow, nginx's connections included. */
const CLIENTS_MAX = 400
const SECONDS_MAX = 3_600

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(1_000_000)) },
    runs: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    clients: { type: 'string', default: '120' },
    'jwt-secret': { type: 'string' },
    quiet: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})

function whole(name: string, value: string, max: number): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 0 && number <= max) return number
  process.stderr.write(`--${name} takes a whole number up to ${max}\n`)
  process.exit(78)
}

const first = whole('seed', values.seed, 2 ** 32 - 1)
const runs = whole('runs', values.runs, 100)
const durationMs = whole('seconds', values.seconds, SECONDS_MAX) * 1_000
const clients = whole('clients', values.clients, CLIENTS_MAX)
const print = (line: string): void => void process.stdout.write(`${line}\n`)

const results: ChaosResult[] = []
for (let seed = first; seed < first + runs; seed++) {
  print(`seed ${seed}: ${clients} members, ${durationMs / 1_000} s`)
  const note = values.quiet ? {} : { note: (line: string): void => print(`  ${line}`) }
  results.push(
    await runChaos({ seed, durationMs, clients, jwtSecret: values['jwt-secret'], ...note }),
  )
}
print(`\n${table(results)}\n`)
for (const { seed, violations } of results)
  for (const line of violationLines(`seed ${seed}`, violations)) print(line)
const violations = results.reduce((sum, result) => sum + result.violations.length, 0)
print(`${killsOf(results)} kills, ${violations} violations`)
if (values.json !== undefined) await addResults(values.json, [resultOf(results)])
process.exitCode = violations === 0 ? 0 : 1
