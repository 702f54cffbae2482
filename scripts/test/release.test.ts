import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startProcess, type TestProcess } from '../../test/support/processes.ts'
import { run } from '../release/steps.ts'
import {
  datedChangelog,
  isVersion,
  LOCK,
  mayFollow,
  notesOf,
  setVersion,
  VERSIONED,
} from '../release/versions.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 60_000

describe('npm run release -- --dry-run', () => {
  let tree: string
  let current: string
  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'roomcast-tree-'))
    for (const file of [...VERSIONED.keys(), LOCK, 'CHANGELOG.md', 'charts/roomcast'])
      await cp(join(ROOT, file), join(tree, file), { recursive: true })
    await writeFile(join(tree, '.gitignore'), 'release/\n')
    const { version } = JSON.parse(await readFile(join(tree, 'package.json'), 'utf8')) as {
      version: string
    }
    current = version
    await run(tree, 'git', ['init', '--quiet'])
    await run(tree, 'git', ['add', '.'])
    const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.org']
    await run(tree, 'git', [...who, 'commit', '--quiet', '--message', 'all'])
  })
  afterAll(() => rm(tree, { recursive: true }))

  const dryRun = (version: string): TestProcess =>
    startProcess(
      process.execPath,
      [
        '--conditions=source',
        '--disable-warning=ExperimentalWarning',
        'scripts/release/release.ts',
        version,
        '--dry-run',
        '--root',
        tree,
      ],
      {
        cwd: ROOT,
        env: {
          PATH: `${process.env['PATH']}:${join(ROOT, '.cache/bin')}:${dirname(process.execPath)}`,
        },
      },
    )

  it(
    'names every file, packs the chart as it would be, and leaves the tree alone',
    async () => {
      await using release = dryRun('99.0.0')
      expect({ status: await release.ended(LIMIT_MS), said: release.output() }).toMatchObject({
        status: 0,
      })
      for (const file of [...VERSIONED.keys(), LOCK, 'CHANGELOG.md'])
        expect(release.output()).toMatch(new RegExp(`^${file}: [1-9]`, 'm'))
      const chart = await run(tree, 'helm', ['show', 'chart', 'release/roomcast-99.0.0.tgz'])
      expect(chart).toMatch(/^version: 99\.0\.0$/m)
      expect(chart).toMatch(/^appVersion: 99\.0\.0$/m)
      expect(await run(tree, 'git', ['status', '--porcelain'])).toBe('')
    },
    LIMIT_MS,
  )

  it('refuses a tree that is not clean, a tag that is there, and a version that is past', async () => {
    await run(tree, 'git', ['tag', 'v0.0.1'])
    await writeFile(join(tree, 'Dockerfile'), `ARG VERSION=${current}\nRUN true\n`)
    await using release = dryRun('0.0.1')
    expect(await release.ended(LIMIT_MS)).toBe(1)
    expect(release.output()).toContain('the tree is not clean:\n M Dockerfile')
    expect(release.output()).toContain('the tag v0.0.1 is there already')
    expect(release.output()).toContain(`0.0.1 does not come after ${current}`)
  })
})

it.each([
  ['0.2.0', '0.1.0', true],
  ['0.1.0', '0.1.0', true],
  ['0.10.0', '0.9.0', true],
  ['0.1.0', '0.2.0', false],
  ['1.0.0-rc.1', '1.0.0', false],
  ['1.0.0', '1.0.0-rc.1', true],
])('%s after %s: %s', (next, current, may) => {
  expect(mayFollow(next, current)).toBe(may)
})

it('takes versions that Helm takes, and no others', () => {
  expect(['0.2.0', '1.0.0-rc.1'].every(isVersion)).toBe(true)
  expect(['', '1', '1.2', 'v1.2.3', '01.2.3', '1.2.3 --help'].some(isVersion)).toBe(false)
})

it('changes the version where it is one, and not where it is a part of another', () => {
  const find = VERSIONED.get('package.json')
  if (find === undefined) throw new Error('package.json names no version')
  const text =
    '{"version": "0.1.0", "a": "0.1.0", "@roomcast/runtime": "0.1.0", "version": "0.1.01"}'
  expect(setVersion(text, find, '0.1.0', '0.2.0')).toEqual({
    text: '{"version": "0.2.0", "a": "0.1.0", "@roomcast/runtime": "0.2.0", "version": "0.1.01"}',
    places: 2,
  })
})

it('dates the heading of the changelog, and finds what stands under it', () => {
  const text =
    '# Changelog\n\n## [0.2.0] - Unreleased\n\n- new\n\n## [0.1.0] - 2020-01-01\n\n- old\n'
  const dated = datedChangelog(text, '0.2.0', '2020-02-02')
  expect(dated).toContain('## [0.2.0] - 2020-02-02\n\n- new')
  expect(notesOf(dated ?? '', '0.2.0')).toBe('- new')
  expect(datedChangelog(dated ?? '', '0.3.0', '2020-03-03')).toBeUndefined()
})

it('what the image installs is the same for every architecture: nothing in it is compiled for one', async () => {
  interface Entry {
    readonly dev?: boolean
    readonly optional?: boolean
    readonly devOptional?: boolean
    readonly peer?: boolean
    readonly cpu?: unknown
    readonly os?: unknown
    readonly hasInstallScript?: boolean
  }
  const { packages } = JSON.parse(await readFile(join(ROOT, LOCK), 'utf8')) as {
    packages: Readonly<Record<string, Entry>>
  }
  const tied = Object.entries(packages).flatMap(
    ([where, { dev, optional, devOptional, cpu, os, hasInstallScript }]) => {
      const isInstalled = dev !== true && optional !== true && devOptional !== true
      return isInstalled && (cpu ?? os ?? hasInstallScript) !== undefined ? [where] : []
    },
  )
  expect(tied).toEqual([])
  expect(await readFile(join(ROOT, 'Dockerfile'), 'utf8')).not.toMatch(
    /amd64|x86|x64|arm64|aarch64/i,
  )
})
