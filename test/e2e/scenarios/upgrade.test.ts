import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { entranceOf } from '../support/entrance.ts'
import { createNamespace } from '../support/namespace.ts'
import { tryProgram } from '../support/programs.ts'
import { install, over, SMALL, type Values } from '../support/release.ts'
import { report } from '../support/report.ts'
import { scenario, type Place } from '../support/scenario.ts'

jest.setTimeout(600_000)

const MEMBERS = 200
/** The version to come from: a tag or commit of this repository, the latest release by default. */
const PREVIOUS = process.env['E2E_PREVIOUS']
/** Its image. */
const PREVIOUS_IMAGE = process.env['E2E_PREVIOUS_IMAGE']

const suite = new AsyncDisposableStack()
let place: Place
let values: Values
let previous: string
beforeAll(async () => {
  previous = PREVIOUS ?? (await latestRelease())
  if (PREVIOUS_IMAGE === undefined)
    throw new Error(`E2E_PREVIOUS_IMAGE has to name the image of ${previous}`)
  const folder = await mkdtemp(join(tmpdir(), 'roomcast-previous-'))
  suite.defer(() => rm(folder, { recursive: true }))
  const line = 'set -o pipefail; git archive "$0" charts/roomcast | tar --extract --directory "$1"'
  const unpacked = await tryProgram('bash', ['-c', line, previous, folder])
  if (!unpacked.isOk) throw new Error(unpacked.stderr)
  const namespace = suite.use(await createNamespace())
  const entrance = entranceOf(namespace)
  values = over(over(SMALL, entrance.values), { broker: { settings: { historySize: 100_000 } } })
  const release = await install(namespace, values, {
    chart: join(folder, 'charts/roomcast'),
    from: PREVIOUS_IMAGE,
  })
  place = { namespace, entrance, release }
  await entrance.isOpen()
})
afterAll(() => suite.disposeAsync())

async function latestRelease(): Promise<string> {
  const { isOk, stdout } = await tryProgram('git', [
    'describe',
    '--tags',
    '--abbrev=0',
    '--match=v*',
    'HEAD^',
  ])
  if (!isOk) throw new Error('there is no earlier release: E2E_PREVIOUS has to name a commit')
  return stdout.trim()
}

it('helm upgrade from the previous version replaces everything while people talk', async () => {
  report('upgrade', `from ${previous}, image ${PREVIOUS_IMAGE}`)
  await scenario(
    place,
    {
      id: 'helm-upgrade',
      what: 'helm upgrade from an earlier version of chart and image',
      members: MEMBERS,
      backMs: 3_000,
    },
    async () => {
      await place.release.upgrade(values)
      await place.release.settles('gateway', 3)
    },
  )
  expect(await place.release.test()).toMatchObject({ isOk: true })
})
