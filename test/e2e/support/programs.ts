import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** How long one run of a program may take, in milliseconds: helm waits for pods, and tells itself when that takes too long. */
const LIMIT_MS = 300_000
/** What a program may print, in bytes. */
const OUTPUT_MAX_BYTES = 64 * 1_048_576

/** What a program printed, and whether its status was 0. */
export interface Outcome {
  readonly isOk: boolean
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of the path in the root of the repository, whatever its status. Throws when there is no such program. */
export async function tryProgram(
  program: string,
  args: readonly string[],
  input = '',
): Promise<Outcome> {
  const running = promisify(execFile)(program, args, {
    cwd: ROOT,
    timeout: LIMIT_MS,
    maxBuffer: OUTPUT_MAX_BYTES,
  })
  running.child.stdin?.end(input)
  try {
    return { isOk: true, ...(await running) }
  } catch (error) {
    const { stdout, stderr } = error as Partial<Outcome>
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error(`the tests on a cluster need ${program} on the path`, { cause: error })
    }
    if (stdout === undefined || stderr === undefined) throw error
    return { isOk: false, stdout, stderr }
  }
}

/** What a program printed. Throws what it said when its status is not 0. */
export async function runProgram(
  program: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const { isOk, stdout, stderr } = await tryProgram(program, args, input)
  if (isOk) return stdout
  throw new Error(`${program} ${args.join(' ')} failed:\n${stderr}${stdout}`)
}
