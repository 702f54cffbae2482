import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { startProcess } from '../../test/support/processes.ts'

/** How long npm may take to install what a suite needs, and how long one run of it may take. In milliseconds. */
const INSTALL_LIMIT_MS = 300_000
const RUN_LIMIT_MS = 120_000

/** What mocha's reporter `json` prints, as far as it is used. */
const Report = z.object({
  stats: z.object({ tests: z.number(), passes: z.number() }),
  failures: z.array(
    z.object({ fullTitle: z.string(), err: z.object({ message: z.string().optional() }) }),
  ),
})

export interface SuiteResult {
  readonly passed: number
  readonly of: number
  /** One line for each test that failed. */
  readonly failures: readonly string[]
}

/** A suite that runs with mocha, in a copy of its own. */
export interface Suite extends AsyncDisposable {
  /** Rejects when it can not run at all; that tests fail is a result. */
  run(): Promise<SuiteResult>
}

/** Copies a suite's folder and installs there what its lock names. */
export async function installSuite(folder: string): Promise<Suite> {
  const dir = await mkdtemp(join(tmpdir(), 'roomcast-suite-'))
  const dispose = (): Promise<void> => rm(dir, { recursive: true, force: true })
  const run = async (
    command: string,
    args: readonly string[],
    limitMs: number,
  ): Promise<string> => {
    await using process_ = startProcess(command, args, { cwd: dir })
    await process_.ended(limitMs)
    return process_.output()
  }
  try {
    await cp(folder, dir, { recursive: true })
    await using npm = startProcess('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], {
      cwd: dir,
    })
    if ((await npm.ended(INSTALL_LIMIT_MS)) !== 0)
      throw new Error(`npm ci failed:\n${npm.output()}`)
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    async run() {
      const output = await run(
        process.execPath,
        ['node_modules/.bin/mocha', '--reporter', 'json', '--exit', 'test-suite.js'],
        RUN_LIMIT_MS,
      )
      const { stats, failures } = parseReport(output)
      return {
        passed: stats.passes,
        of: stats.tests,
        failures: failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.message ?? 'failed'}`),
      }
    },
    [Symbol.asyncDispose]: dispose,
  }
}

function parseReport(output: string): z.infer<typeof Report> {
  try {
    return Report.parse(JSON.parse(output.slice(output.indexOf('{'))))
  } catch (cause) {
    throw new Error(`mocha printed no report:\n${output}`, { cause })
  }
}
