import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { installedPackages, isAllowed } from '../licences.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(`${ROOT}/${file}`, 'utf8')

interface Manifest {
  readonly workspaces?: readonly string[]
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}
const manifestOf = (folder: string): Manifest =>
  JSON.parse(read(`${folder}/package.json`)) as Manifest

/** Which services use each package; none for one that is for development alone. */
function directDependencies(): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>()
  for (const folder of ['.', ...(manifestOf('.').workspaces ?? [])]) {
    const {
      dependencies = {},
      devDependencies = {},
      optionalDependencies = {},
    } = manifestOf(folder)
    for (const name of Object.keys({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    })) {
      if (name.startsWith('@roomcast/')) continue
      const services = users.get(name) ?? new Set()
      if (name in dependencies) services.add(folder.replace('services/', ''))
      users.set(name, services)
    }
  }
  return users
}

const page = read('docs/dependencies.md')
const rows = [...page.matchAll(/^\| `([^`]+)` +\| ([^|]+?) +\| ([^|]+?) +\| ([^|]+?) +\|$/gm)].map(
  ([, name = '', services = '', licence = '', reason = '']) => ({
    name,
    services,
    licence,
    reason,
  }),
)
const direct = directDependencies()

describe('docs/dependencies.md', () => {
  it('has a row with a reason for every package that a workspace names, and no other', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual([...direct.keys()].toSorted())
    for (const { reason } of rows) expect(reason.length).toBeGreaterThan(5)
  })

  it('says which services use it', () => {
    const stated = new Map(rows.map(({ name, services }) => [name, services]))
    for (const [name, services] of direct)
      expect([name, stated.get(name)]).toEqual([
        name,
        services.size === 0 ? 'development' : [...services].toSorted().join(', '),
      ])
  })

  it('says its licence', () => {
    const licences = new Map(installedPackages(ROOT).map(({ path, licence }) => [path, licence]))
    for (const { name, licence } of rows) {
      // One of another platform than this is not installed.
      const installed = licences.get(`node_modules/${name}`)
      if (installed !== undefined) expect([name, licence]).toEqual([name, installed])
    }
  })

  it('keeps its word on how many there are', () => {
    const [, shippedMax, developmentMax] =
      /(\d+) in the services and (\d+) for development/.exec(page) ?? []
    const shipped = [...direct.values()].filter(({ size }) => size > 0).length
    expect(shipped).toBeLessThanOrEqual(Number(shippedMax))
    expect(direct.size - shipped).toBeLessThanOrEqual(Number(developmentMax))
  })
})

describe('licences', () => {
  it('every installed package has one that is allowed', () => {
    const installed = installedPackages(ROOT)
    expect(installed.length).toBeGreaterThan(200)
    expect(
      installed.filter(({ licence, isDevelopment }) => !isAllowed(licence, isDevelopment)),
    ).toEqual([])
  })

  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0)', true],
    ['MIT AND Zlib', true],
    ['MIT AND GPL-3.0', false],
    ['SEE LICENSE IN LICENSE', false],
    [undefined, false],
    ['CC-BY-4.0', false],
  ])('%s is allowed in an image: %s', (licence, expected) => {
    expect(isAllowed(licence)).toBe(expected)
  })
})
