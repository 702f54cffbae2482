import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './steps.ts'
import {
  datedChangelog,
  LOCK,
  mayFollow,
  notesOf,
  setLockVersion,
  setVersion,
  VERSIONED,
} from './versions.ts'

/** Why there can be no release, for the person at the keyboard. */
export class ReleaseError extends Error {}

export interface Change {
  readonly file: string
  readonly text: string
  readonly places: number
}

/** All that a release changes by itself, worked out before anything is written. */
export interface ReleasePlan {
  readonly version: string
  readonly tag: string
  readonly changes: readonly Change[]
  /** What the changelog says of it. */
  readonly notes: string
}

const CHANGELOG = 'CHANGELOG.md'

/** Checks that the tree is clean, the tag free and the version a next one. Throws a ReleaseError that says all that is wrong. */
export async function planRelease(
  root: string,
  version: string,
  day: string,
): Promise<ReleasePlan> {
  const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8')
  const { version: current } = JSON.parse(await read('package.json')) as { version: string }
  const tag = `v${version}`
  const faults: string[] = []
  const dirty = (await run(root, 'git', ['status', '--porcelain'])).trimEnd()
  if (dirty !== '') faults.push(`the tree is not clean:\n${dirty}`)
  if ((await run(root, 'git', ['tag', '--list', tag])).trim() !== '')
    faults.push(`the tag ${tag} is there already`)
  if (!mayFollow(version, current)) faults.push(`${version} does not come after ${current}`)

  const changes: Change[] = []
  const note = (file: string, text: string, places: number): void => {
    if (places === 0) faults.push(`${file} does not name ${current}`)
    changes.push({ file, text, places })
  }
  for (const [file, find] of VERSIONED) {
    const { text, places } = setVersion(await read(file), find, current, version)
    note(file, text, places)
  }
  const lock = setLockVersion(await read(LOCK), current, version)
  note(LOCK, lock.text, lock.places)
  const changelog = datedChangelog(await read(CHANGELOG), version, day)
  if (changelog === undefined) faults.push(`${CHANGELOG} has no heading that is not released yet`)
  else changes.push({ file: CHANGELOG, text: changelog, places: 1 })
  if (faults.length > 0) throw new ReleaseError(faults.join('\n'))
  return {
    version,
    tag,
    changes,
    notes: `Roomcast ${version}\n\n${notesOf(changelog ?? '', version)}`,
  }
}
