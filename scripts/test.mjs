// Runs the tests: `npm test`, or `npm test -- <arguments of jest>` for a part of them.
//
// Each project of jest.config.mjs is a run of its own, the quickest first. Those after `unit` start real servers and measure
// time, so their files run one by one. The last line is `N passed, N failed`; the status is 1 when anything failed or
// nothing ran.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { findChromium, testPath } from './setup.mjs'

/** How long the run of one project may take. In milliseconds. */
const RUN_LIMIT_MS = 600_000
/** How long a run that is told to end may take to stop the servers that it started. In milliseconds. */
const END_LIMIT_MS = 3_000
const UNIT_WORKERS = 2

/** The order of the runs. Projects that this list does not know come last. */
const ORDER = ['unit', 'integration', 'process', 'browser', 'chart']
/** Projects that run only when they are named: they need what nobody can install on the way. */
const OPT_IN = ['e2e']

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const JEST = path.join(ROOT, 'node_modules', '.bin', 'jest')

export const NOTHING = { passed: 0, failed: 0, skipped: 0 }

/**
 * The counts of one run, from jest's own record of it. A file that failed without a failed test (it did not load, or broke
 * outside of its tests) counts as one failed test.
 */
export function tally(results) {
  const brokenFiles = results.testResults.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  )
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + brokenFiles.length,
    skipped: results.numPendingTests + results.numTodoTests,
  }
}

/** The counts of a run that has ended, and what is wrong with the run itself, which counts as a failure too. */
export function judge(name, { status, isLate, results }) {
  const counts = results === undefined ? NOTHING : tally(results)
  const fault = isLate
    ? `did not end within ${RUN_LIMIT_MS / 1_000} s and was killed`
    : results === undefined
      ? `ended with ${status} and left no results`
      : status !== 0 && counts.failed === 0
        ? `ended with ${status} although no test failed`
        : undefined
  if (fault === undefined) return { counts }
  return { counts: add(counts, { ...NOTHING, failed: 1 }), fault: `${name}: ${fault}` }
}

export function add(a, b) {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  }
}

export function countsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

export function inOrder(projects) {
  const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length)
  return projects.filter((name) => !OPT_IN.includes(name)).sort((a, b) => place(a) - place(b))
}

/** The variables that docs/config.md documents. */
export function documentedVariables(markdown) {
  return [...markdown.matchAll(/^\| `([A-Z][A-Z0-9_]*)`/gm)].map(([, name]) => name)
}

const namesWorkers = (args) =>
  args.some((arg) => /^(-w|-i|--maxWorkers|--max-workers|--runInBand|--run-in-band)/.test(arg))

/** The caller's environment without the settings of services, which must not reach those that the tests start. */
function testEnvironment() {
  const env = { ...process.env }
  const documented = documentedVariables(
    fs.readFileSync(path.join(ROOT, 'docs', 'config.md'), 'utf8'),
  )
  // Where the cluster is, is for those who run the tests to say.
  for (const name of documented) if (name !== 'KUBECONFIG') delete env[name]
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const chromium = findChromium(env)
  return {
    ...env,
    NODE_ENV: 'test',
    NODE_OPTIONS: [env.NODE_OPTIONS, ...options].filter(Boolean).join(' '),
    PATH: testPath(env.PATH),
    ...(chromium === undefined ? {} : { CHROMIUM_PATH: chromium }),
  }
}

/** Runs jest to its end, or to the limit. `isOurs`: the caller types at it and sees all of it, and no limit applies. */
async function runJest(args, { isOurs, folder, env }) {
  const outputFile = path.join(folder, 'results.json')
  fs.rmSync(outputFile, { force: true })
  const child = spawn(JEST, ['--json', `--outputFile=${outputFile}`, ...args], {
    cwd: ROOT,
    env,
    stdio: [isOurs ? 'inherit' : 'ignore', 'inherit', 'inherit'],
    // A group of its own, so that the servers which a killed run leaves behind can be ended with it.
    detached: !isOurs,
  })
  let isLate = false
  let kill
  const signal = (name) => {
    if (child.pid === undefined) return
    try {
      process.kill(isOurs ? child.pid : -child.pid, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
  const end = () => {
    signal('SIGTERM')
    kill ??= setTimeout(signal, END_LIMIT_MS, 'SIGKILL')
  }
  const limit = isOurs
    ? undefined
    : setTimeout(() => {
        isLate = true
        end()
      }, RUN_LIMIT_MS)
  const stop = (name) => {
    process.exitCode = 128 + os.constants.signals[name]
    end()
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, stop)
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, by) => resolve(code ?? by))
  })
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(name, stop)
  clearTimeout(limit)
  clearTimeout(kill)
  if (isLate) signal('SIGKILL')
  const results = fs.existsSync(outputFile)
    ? JSON.parse(fs.readFileSync(outputFile, 'utf8'))
    : undefined
  return { status, isLate, results }
}

async function main(args) {
  const config = (await import('../jest.config.mjs')).default
  const projects = inOrder(config.projects.map(({ displayName }) => displayName))
  const runs =
    args.length > 0
      ? [
          {
            name: 'jest',
            args: namesWorkers(args) ? args : ['--maxWorkers=1', ...args],
            isOurs: true,
          },
        ]
      : projects.map((name) => ({
          name,
          args: [
            `--maxWorkers=${name === 'unit' ? UNIT_WORKERS : 1}`,
            `--selectProjects=${name}`,
            '--verbose=false',
            '--passWithNoTests',
          ],
          isOurs: false,
        }))
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'roomcast-test-'))
  const env = testEnvironment()
  let total = NOTHING
  const faults = []
  try {
    for (const { name, args, isOurs } of runs) {
      const { counts, fault } = judge(name, await runJest(args, { isOurs, folder, env }))
      total = add(total, counts)
      if (fault !== undefined) faults.push(fault)
      if (process.exitCode !== undefined) break
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
  if (total.passed + total.failed === 0) faults.push('no test ran')
  for (const fault of faults) console.log(fault)
  console.log(countsLine(total))
  if (total.failed > 0 || total.passed === 0) process.exitCode ??= 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2))
