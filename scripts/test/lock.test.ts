import { readFile } from 'node:fs/promises'
import { expect, it } from '@jest/globals'

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >
}

// npm writes such a lock where a registry does not serve the packages of every platform, and where node_modules was there first.
it('package-lock.json names the optional packages of all platforms, without which `npm ci` refuses it', async () => {
  const text = await readFile(new URL('../../package-lock.json', import.meta.url), 'utf8')
  const { packages } = JSON.parse(text) as Lock
  const missing = Object.entries(packages).flatMap(([where, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter(
      (name) =>
        !Object.hasOwn(packages, `node_modules/${name}`) &&
        !Object.hasOwn(packages, `${where}/node_modules/${name}`),
    ),
  )
  expect(missing).toEqual([])
})
