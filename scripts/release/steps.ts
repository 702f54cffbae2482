import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { ReleasePlan } from './plan.ts'

const CHART = 'charts/roomcast'

/** Runs a program in the tree. With `isShown` it prints as it goes and nothing is returned. Throws when its status is not 0. */
export async function run(
  root: string,
  program: string,
  args: readonly string[],
  { isShown = false } = {},
): Promise<string> {
  // helm may be where `npm test` puts it.
  const env = {
    ...process.env,
    PATH: [process.env['PATH'], join(root, '.cache/bin')].join(delimiter),
  }
  if (!isShown) return (await promisify(execFile)(program, args, { cwd: root, env })).stdout
  const child = spawn(program, args, { cwd: root, env, stdio: 'inherit' })
  const [status] = (await once(child, 'exit')) as [number | null]
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`)
  return ''
}

/** Writes what the plan changes. */
export async function writePlan(root: string, { changes }: ReleasePlan): Promise<void> {
  for (const { file, text } of changes) await writeFile(join(root, file), text)
}

/** `helm package` of the chart as the plan has it, whether or not it is written yet. Resolves with the file's name. */
export async function packChart(root: string, plan: ReleasePlan, out: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'roomcast-release-'))
  try {
    await cp(join(root, CHART), join(folder, CHART), { recursive: true })
    for (const { file, text } of plan.changes)
      if (file.startsWith(CHART)) await writeFile(join(folder, file), text)
    await run(root, 'helm', ['package', join(folder, CHART), '--destination', out])
    return join(out, `roomcast-${plan.version}.tgz`)
  } finally {
    await rm(folder, { recursive: true })
  }
}
