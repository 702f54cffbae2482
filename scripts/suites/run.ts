/**
 * scripts/conformance DIR [--runs N] [--json FILE]
 *
 * Runs the public suites of the Engine.IO and Socket.IO protocols, from a copy of the repository socketio/socket.io, against three
 * gateways with a real Redis, broker and presence behind a real nginx: once by plain round-robin, which knows nothing of sessions, and
 * once by the client's address. Prints a table; the status is 1 unless every test passed. `--json` puts the results into a
 * file of docs/results.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startDeployment } from '../../test/support/deployment.ts'
import { startNginx, type Balance } from '../../test/support/nginx.ts'
import { addResults, type ResultRow } from '../scorecard/result.ts'
import { installSuite, type Suite, type SuiteResult } from './mocha.ts'

const SUITES = [
  { title: 'Engine.IO v4', name: 'engine.io', folder: 'docs/engine.io-protocol/v4-test-suite' },
  { title: 'Socket.IO v5', name: 'socket.io', folder: 'docs/socket.io-protocol/v5-test-suite' },
] as const
const MODES: readonly { readonly title: string; readonly balance: Balance }[] = [
  { title: 'round-robin', balance: 'round_robin' },
  { title: 'sticky', balance: 'ip_hash' },
]
/** Where the suites expect the server. */
const PORT = 3_000
/** What they expect of it: the settings of their own servers. */
const SETTINGS = {
  PING_INTERVAL_MS: '300',
  PING_TIMEOUT_MS: '200',
  MAX_PAYLOAD_BYTES: '1000000',
  CORS_ORIGINS: '*',
  LOG_LEVEL: 'warn',
}
const RUNS_MAX = 1_000

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '1' }, json: { type: 'string' } },
})
const [dir = '.'] = positionals
const runs = Number(values.runs)
if (!Number.isInteger(runs) || runs < 1 || runs > RUNS_MAX) fail(`--runs takes 1 to ${RUNS_MAX}`)
for (const { folder } of SUITES) {
  if (!(await stat(join(dir, folder, 'test-suite.js')).catch(() => undefined))?.isFile())
    fail(`no ${folder} in ${dir}: is it a copy of socketio/socket.io?`)
}

const rows: string[][] = [['Suite', 'Mode', 'Passed']]
const results: ResultRow[] = []
let isAllPassed = true
for (const { title, name, folder } of SUITES) {
  await using suite = await installSuite(join(dir, folder))
  await using deployment = await startDeployment({
    gateways: 3,
    gatewayMain: 'scripts/suites/gateway.ts',
    env: { ...SETTINGS, SUITE: name },
  })
  const hosts = deployment.gateways.map(({ url }) => new URL(url).host)
  for (const mode of MODES) {
    await using _nginx = await startNginx(hosts, mode.balance, PORT)
    const { passed, of, failures } = await repeat(suite)
    isAllPassed &&= of > 0 && passed === of
    rows.push([title, mode.title, `${passed}/${of}`])
    results.push({
      id: `${name}-${mode.balance}`,
      what: `suite of ${title}, nginx ${mode.title}`,
      measured: `${passed} of ${of} passed`,
      target: 'all',
      isMet: of > 0 && passed === of,
    })
    for (const failure of failures) print(`${title}, ${mode.title}: ${failure}`)
  }
}
const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
for (const row of rows) print(row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))
if (values.json !== undefined) await addResults(values.json, results)
process.exitCode = isAllPassed ? 0 : 1

/** The sum of all runs. */
async function repeat(suite: Suite): Promise<SuiteResult> {
  const results: SuiteResult[] = []
  for (let run = 0; run < runs; run++) results.push(await suite.run())
  return {
    passed: results.reduce((sum, { passed }) => sum + passed, 0),
    of: results.reduce((sum, { of }) => sum + of, 0),
    failures: results.flatMap(({ failures }) => failures),
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(78)
}
