/**
 * npm run release -- VERSION [--dry-run] [--out DIR]
 *
 * Makes a release of a clean tree: sets the version everywhere, dates the changelog, writes what is generated, runs `npm run check` and
 * `npm run build`, packs the chart into DIR (release/), commits and tags. Pushes nothing. Stops at the first thing that is wrong, with
 * status 1; `git restore .` is the way back before the commit. With --dry-run it only checks, says what it would change, and packs the
 * chart as it would be; nothing in the tree changes.
 */
import { fileURLToPath } from 'node:url'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { planRelease, ReleaseError } from './plan.ts'
import { packChart, run, writePlan } from './steps.ts'
import { isVersion } from './versions.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    'dry-run': { type: 'boolean', default: false },
    out: { type: 'string', default: 'release' },
    root: { type: 'string', default: ROOT },
  },
})
const [version = ''] = positionals
const print = (line: string): void => void process.stdout.write(`${line}\n`)

if (positionals.length !== 1 || !isVersion(version)) {
  process.stderr.write(
    'npm run release -- VERSION [--dry-run] [--out DIR]: VERSION is like 0.2.0\n',
  )
  process.exit(2)
}

try {
  const root = resolve(values.root)
  const out = resolve(root, values.out)
  const plan = await planRelease(root, version, new Date().toISOString().slice(0, 10))
  for (const { file, places } of plan.changes) print(`${file}: ${places} changed`)
  if (values['dry-run']) {
    print(`packed ${await packChart(root, plan, out)}`)
    print(
      `would generate documents, check, build, pack, commit "chore: release ${version}" and tag ${plan.tag}`,
    )
  } else {
    await writePlan(root, plan)
    const shown = { isShown: true }
    await run(root, 'npm', ['run', 'docs:generate'], shown)
    await run(root, 'scripts/render-manifests.sh', [], shown)
    await run(root, 'npm', ['run', 'check'], shown)
    await run(root, 'npm', ['run', 'build'], shown)
    print(`packed ${await packChart(root, plan, out)}`)
    await run(root, 'git', ['commit', '--all', '--message', `chore: release ${version}`])
    await run(root, 'git', ['tag', '--annotate', plan.tag, '--message', plan.notes])
    print(`tagged ${plan.tag}: docs/releasing.md says how it gets out`)
  }
} catch (error) {
  if (!(error instanceof ReleaseError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
