import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { openSecretFile, parseTokens, SettingsError, type SecretFile } from '@roomcast/runtime'
import { until } from '../../../test/support/processes.ts'

const OLD = 'the-old-token-of-all'
const NEW = 'the-new-token-of-all'

let directory: string
let told: string[]
let opened: SecretFile<readonly string[]> | undefined

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'roomcast-'))
  told = []
})
afterEach(async () => {
  opened?.close()
  opened = undefined
  await rm(directory, { recursive: true })
})

const openTokens = async (path: string): Promise<SecretFile<readonly string[]>> => {
  opened = await openSecretFile(path, {
    setting: 'INTERNAL_TOKEN_FILE',
    parse: parseTokens,
    facts: { changed: () => told.push('changed'), failed: (fault) => told.push(fault) },
    intervalMs: 5,
  })
  return opened
}

/** A file that is never seen half written. */
const replace = async (path: string, content: string): Promise<void> => {
  await writeFile(`${path}.tmp`, content)
  await rename(`${path}.tmp`, path)
}

/** What a Secret is as a volume: each version in a directory, and a link that is moved from one to the next. */
const publish = async (version: string, content: string): Promise<void> => {
  await mkdir(join(directory, version))
  await writeFile(join(directory, version, 'token'), content)
  await symlink(version, join(directory, '..data_tmp'))
  await rename(join(directory, '..data_tmp'), join(directory, '..data'))
}

describe('a file of secrets', () => {
  it('is in force again when the link above it moved, and once for each change', async () => {
    await publish('1', OLD)
    await symlink('..data/token', join(directory, 'token'))
    const tokens = await openTokens(join(directory, 'token'))
    expect(tokens.current()).toEqual([OLD])
    await publish('2', `${NEW}\n${OLD}\n`)
    await until('the new token', () => tokens.current()[0] === NEW)
    expect(tokens.current()).toEqual([NEW, OLD])
    expect(told).toEqual(['changed'])
  })

  it('that breaks leaves what was good, says so once, and is taken again when it is whole', async () => {
    const path = join(directory, 'token')
    await replace(path, OLD)
    const tokens = await openTokens(path)
    await replace(path, 'short')
    await until('a word of the fault', () => told.length > 0)
    expect(tokens.current()).toEqual([OLD])
    expect(told[0]).toMatch(/^each token needs 16 to 1024/)
    await rm(path)
    await until('a word of the missing file', () => told.length > 1)
    expect(told[1]).toBe('can not be read (ENOENT)')
    expect(tokens.current()).toEqual([OLD])
    await replace(path, NEW)
    await until('the new token', () => tokens.current()[0] === NEW)
    expect(told.slice(2).at(-1)).toBe('changed')
  })

  it('that is not usable at the start is a fault of the setting that names it', async () => {
    const path = join(directory, 'token')
    await expect(openTokens(path)).rejects.toThrow(
      new SettingsError(['INTERNAL_TOKEN_FILE: can not be read (ENOENT)']),
    )
    await writeFile(path, 'x'.repeat(2_000_000))
    await expect(openTokens(path)).rejects.toThrow(/must have at most 1048576 bytes/)
  })
})
