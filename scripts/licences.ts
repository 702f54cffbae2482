// Checks the licence of every package that is installed: `node --conditions=source scripts/licences.ts`. Fails with those that are
// not allowed, or that have none.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Licences that ask for no more than to be named. */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
  'Zlib',
])
/** The same for what builds and tests, and is in no image: data of which browser can do what. */
const ALLOWED_FOR_DEVELOPMENT: ReadonlySet<string> = new Set([...ALLOWED, 'CC-BY-4.0'])

/** Old packages whose package.json says nothing, in the version that was looked at, with what their Readme says. */
const SAID_IN_README: ReadonlyMap<string, string> = new Map([
  ['component-bind@1.0.0', 'MIT'],
  ['component-inherit@0.0.3', 'MIT'],
  ['indexof@0.0.1', 'MIT'],
])

export interface Installed {
  /** Where it is, from the root of the checkout. */
  readonly path: string
  /** An SPDX expression; undefined when its package.json names none. */
  readonly licence: string | undefined
  /** Whether it is for building and testing alone. */
  readonly isDevelopment: boolean
}

/** Every package of the lock that is installed here: those of other platforms are not. */
export function installedPackages(root: string): Installed[] {
  const { packages } = readJson(`${root}/package-lock.json`) as {
    packages: Record<string, { readonly link?: boolean; readonly dev?: boolean }>
  }
  return Object.entries(packages)
    .filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
    .filter(([path]) => existsSync(`${root}/${path}/package.json`))
    .map(([path, { dev = false }]) => ({
      path,
      licence: licenceIn(readJson(`${root}/${path}/package.json`) as Manifest),
      isDevelopment: dev,
    }))
}

/** Whether an SPDX expression can be followed with allowed licences alone. */
export function isAllowed(licence: string | undefined, isDevelopment = false): boolean {
  if (licence === undefined) return false
  const allowed = isDevelopment ? ALLOWED_FOR_DEVELOPMENT : ALLOWED
  return licence
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((name) => allowed.has(name)))
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string | { readonly type?: string }
  /** The form of old packages. */
  readonly licenses?: readonly { readonly type?: string }[]
}

function licenceIn({ name, version, license, licenses }: Manifest): string | undefined {
  if (typeof license === 'string') return license
  const listed = licenses?.flatMap(({ type }) => type ?? []).join(' OR ')
  return license?.type ?? listed ?? SAID_IN_README.get(`${name}@${version}`)
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'))
}

if (import.meta.main) {
  const installed = installedPackages(fileURLToPath(new URL('..', import.meta.url)))
  const refused = installed.filter(
    ({ licence, isDevelopment }) => !isAllowed(licence, isDevelopment),
  )
  for (const { path, licence = 'no licence' } of refused) console.error(`${path}: ${licence}`)
  console.log(`${installed.length} packages, ${refused.length} without an allowed licence`)
  process.exitCode = refused.length === 0 ? 0 : 1
}
