/** The files that name the version of Roomcast, and how each names it. Everything else that does is generated from these. */
export const VERSIONED: ReadonlyMap<string, (version: string) => RegExp> = new Map([
  ['package.json', inJson],
  ...['protocol', 'runtime', 'roomlog', 'broker', 'presence', 'gateway'].map(
    (name) => [`services/${name}/package.json`, inJson] as const,
  ),
  ['services/runtime/src/version.ts', (version) => lead("VERSION = '", version)],
  ['charts/roomcast/Chart.yaml', (version) => lead('^(?:app)?[vV]ersion: ', version)],
  ['Dockerfile', (version) => lead('^ARG VERSION=', version)],
  ['README.md', inImage],
  ['docs/operations.md', inImage],
  ['docs/protocol.md', (version) => lead('"version": "', version)],
])

/** What npm has recorded of the workspaces. */
export const LOCK = 'package-lock.json'

/** `0.2.0`, or `0.2.0-rc.1`: what Helm takes as well. */
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([\da-z-]+(?:\.[\da-z-]+)*))?$/i

function inJson(version: string): RegExp {
  return lead('"(?:version|@roomcast/[a-z]+)": "', version)
}

function inImage(version: string): RegExp {
  return lead('roomcast:', version)
}

/** Finds the version after these words, and nowhere within a longer one. */
function lead(words: string, version: string): RegExp {
  return new RegExp(`(?<=${words})${version.replaceAll('.', String.raw`\.`)}(?![\\w.-]*\\w)`, 'gm')
}

export function isVersion(text: string): boolean {
  return VERSION.test(text)
}

/** Whether a release `next` may follow one of version `current`; the first release has the version that the tree already has. */
export function mayFollow(next: string, current: string): boolean {
  const parts = (version: string): readonly (number | string)[] => {
    const [, major, minor, patch, pre] = VERSION.exec(version) ?? []
    // A pre-release comes before its release; `~` sorts after every letter.
    return [Number(major), Number(minor), Number(patch), pre ?? '~']
  }
  const [a, b] = [parts(next), parts(current)]
  for (const [i, part] of a.entries()) {
    const other = b[i] ?? 0
    if (part !== other) return part > other
  }
  return true
}

/** The text with every place of the old version changed, and how many there were. */
export function setVersion(
  text: string,
  find: (version: string) => RegExp,
  from: string,
  to: string,
): { readonly text: string; readonly places: number } {
  const places = text.match(find(from))?.length ?? 0
  return { text: text.replaceAll(find(from), to), places }
}

/** The lock with every place at which it names the workspaces' version changed. */
export function setLockVersion(
  text: string,
  from: string,
  to: string,
): { readonly text: string; readonly places: number } {
  const lock = JSON.parse(text) as {
    version?: string
    packages: Record<string, { version?: string; dependencies?: Record<string, string> }>
  }
  let places = 0
  const bump = (holder: Record<string, unknown>, key: string): void => {
    if (holder[key] !== from) return
    holder[key] = to
    places++
  }
  bump(lock, 'version')
  for (const [where, entry] of Object.entries(lock.packages)) {
    if (where !== '' && !where.startsWith('services/')) continue
    bump(entry, 'version')
    const dependencies = entry.dependencies ?? {}
    for (const name of Object.keys(dependencies))
      if (name.startsWith('@roomcast/')) bump(dependencies, name)
  }
  return { text: `${JSON.stringify(lock, null, 2)}\n`, places }
}

/** The changelog with its first heading that is not released yet made the one of this version and day. */
export function datedChangelog(text: string, version: string, day: string): string | undefined {
  const heading = /^## \[[^\]\n]+\] - Unreleased$|^## \[Unreleased\]$/m
  return heading.test(text) ? text.replace(heading, `## [${version}] - ${day}`) : undefined
}

/** What the changelog says of a version: what the tag says too. */
export function notesOf(text: string, version: string): string {
  const start = text.indexOf(`## [${version}]`)
  if (start === -1) return ''
  const end = text.indexOf('\n## [', start)
  return text.slice(text.indexOf('\n', start), end === -1 ? undefined : end).trim()
}
