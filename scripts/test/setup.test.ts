import { describe, expect, it } from '@jest/globals'
import { deflateRawSync } from 'node:zlib'

interface Package {
  readonly version: string
  readonly integrity?: string
  readonly optional?: boolean
}
interface Lock {
  readonly packages: Readonly<Record<string, Package>>
}
interface Setup {
  lockStamp(lockText: string, platform: string): string
  isInstalledFrom(lock: Lock, installed: Lock): boolean
  majorVersion(version: string): number
  testPath(callersPath: string | undefined): string
  findProgram(names: readonly string[], searchPath: string): string | undefined
  missingSentence(packages: readonly string[], reason: string): string
  unzip(archive: Buffer, name: string): Buffer
}
// Plain JavaScript, because it runs before anything is installed: it has no types of its own.
const file: string = '../setup.mjs'
const setup = (await import(file)) as Setup

describe('the stamp of an installation', () => {
  it('changes with the lock and with the platform', () => {
    const stamp = setup.lockStamp('lock', 'linux-x64')
    expect(setup.lockStamp('lock', 'linux-x64')).toBe(stamp)
    expect(setup.lockStamp('lock 2', 'linux-x64')).not.toBe(stamp)
    expect(setup.lockStamp('lock', 'linux-arm64')).not.toBe(stamp)
  })
})

describe('an installation that npm recorded', () => {
  const lock: Lock = {
    packages: {
      '': { version: '1.0.0' },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/b-darwin': { version: '1.0.0', integrity: 'sha512-b', optional: true },
    },
  }
  const a = { version: '1.0.0', integrity: 'sha512-a' }
  it.each<[string, boolean, Lock['packages']]>([
    ['has what the lock asks for', true, { 'node_modules/a': a }],
    ['lacks a package', false, {}],
    ['has another version', false, { 'node_modules/a': { ...a, version: '1.0.1' } }],
    ['has another content', false, { 'node_modules/a': { ...a, integrity: 'sha512-c' } }],
  ])('%s: %p', (_, expected, packages) => {
    expect(setup.isInstalledFrom(lock, { packages })).toBe(expected)
  })
})

describe('the path of the tests', () => {
  it('begins with what setup installs and names each folder once', () => {
    const folders = setup.testPath('/usr/bin::/usr/sbin:/usr/bin').split(':')
    expect(folders.slice(0, 2)).toEqual([
      expect.stringMatching(/\/node_modules\/\.bin$/),
      expect.stringMatching(/\/\.cache\/bin$/),
    ])
    expect(folders.slice(2)).toEqual(['/usr/bin', '/usr/sbin', '/usr/local/sbin'])
  })

  it('finds the first name that is a program', () => {
    expect(setup.findProgram(['no-such-program', 'sh'], '/nowhere:/bin')).toBe('/bin/sh')
    expect(setup.findProgram(['no-such-program'], '/bin')).toBeUndefined()
  })
})

it('says how to install what is missing', () => {
  expect(
    setup.missingSentence(['redis-server', 'chromium'], 'only root can install packages'),
  ).toBe(
    'The tests need redis-server, chromium; only root can install packages. On Debian: apt-get install redis-server chromium',
  )
})

it('reads the major version', () => {
  expect(setup.majorVersion('v24.21.0')).toBe(24)
  expect(setup.majorVersion('')).toBeNaN()
})

describe('a zip archive', () => {
  const entry = (name: string, content: string, at: number) => {
    const data = deflateRawSync(content)
    const header = Buffer.alloc(30)
    header.writeUInt16LE(name.length, 26)
    header.writeUInt16LE(4, 28)
    const directory = Buffer.alloc(46)
    directory.writeUInt16LE(8, 10)
    directory.writeUInt32LE(data.length, 20)
    directory.writeUInt16LE(name.length, 28)
    directory.writeUInt32LE(at, 42)
    return {
      local: Buffer.concat([header, Buffer.from(name), Buffer.alloc(4), data]),
      directory: Buffer.concat([directory, Buffer.from(name)]),
    }
  }
  const first = entry('a', 'first', 0)
  const second = entry('b/c', 'second', first.local.length)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(2, 10)
  end.writeUInt32LE(first.local.length + second.local.length, 16)
  const directory = Buffer.concat([first.directory, second.directory, end])
  const archive = Buffer.concat([first.local, second.local, directory])

  it('gives the content of a file', () => {
    expect(setup.unzip(archive, 'a').toString()).toBe('first')
    expect(setup.unzip(archive, 'b/c').toString()).toBe('second')
  })

  it('says which file it does not hold', () => {
    expect(() => setup.unzip(archive, 'c')).toThrow('the zip archive holds no c')
  })
})
