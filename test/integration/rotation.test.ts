import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { APPEND_PATH, INTERNAL_MEMBERS_PATH, REPORT_PATH } from '@roomcast/protocol'
import { WebSocket } from 'ws'
import { joinRoom } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

const OLD = 'the-old-token-of-all-services'
const NEW = 'the-new-token-of-all-services'
const keyList = (...ids: string[]): string =>
  JSON.stringify(
    ids.map((id) => ({ id, key: `key-of-${id}-of-the-team`, scopes: ['publish', 'members'] })),
  )

let directory: string
let deployment: Deployment

/** Replaces a file of the services, and waits until each of those that read it has it in force. */
async function replace(file: 'token' | 'keys', content: string): Promise<void> {
  const secret = file === 'token' ? 'internal_token' : 'api_keys'
  const readers = file === 'token' ? 4 : 2
  const changes = (): number =>
    deployment
      .logged()
      .filter((line) => line['secret'] === secret && String(line['msg']).includes('is in force'))
      .length
  const before = changes()
  await write(file, content)
  await until(`${file} in force everywhere`, () => changes() === before + readers)
}

async function write(file: string, content: string): Promise<void> {
  await writeFile(join(directory, 'next'), content)
  await rename(join(directory, 'next'), join(directory, file))
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'roomcast-'))
  await write('token', OLD)
  await write('keys', keyList('first'))
  deployment = await startDeployment({
    gateways: 2,
    env: {
      INTERNAL_TOKEN_FILE: join(directory, 'token'),
      API_KEYS_FILE: join(directory, 'keys'),
    },
  })
}, 60_000)
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

/** Which internal endpoints take a caller of this machine with a token: to append, who a replica is, members, reports. */
async function accepted(token: string): Promise<boolean[]> {
  const headers = { 'x-roomcast-token': token, 'x-forwarded-for': '127.0.0.1' }
  const isTaken = async (url: string, method: string): Promise<boolean> =>
    (await fetch(url, { method, headers })).status !== 401
  const reports = new WebSocket(urlOf('presences').replace('http', 'ws') + REPORT_PATH, { headers })
  const isOpened = new Promise<boolean>((resolve) => {
    reports.once('open', () => resolve(true))
    reports.once('error', () => resolve(false))
  })
  const taken = await Promise.all([
    isTaken(urlOf('brokers') + APPEND_PATH, 'POST'),
    isTaken(`${urlOf('presences')}/internal/replica`, 'GET'),
    isTaken(urlOf('presences') + INTERNAL_MEMBERS_PATH.replace(':room', 'lobby'), 'GET'),
    isOpened,
  ])
  reports.terminate()
  return taken
}
const EVERYWHERE = [true, true, true, true]
const NOWHERE = [false, false, false, false]

const urlOf = (service: 'brokers' | 'presences'): string => deployment[service][0]?.url ?? ''

describe('without a restart', () => {
  it('the token of the services is replaced, and no message is lost on the way', async () => {
    const alice = await joinRoom(deployment.gateways[0]?.url ?? '', 'lobby', 'alice')
    const bob = await joinRoom(deployment.gateways[1]?.url ?? '', 'lobby', 'bob')
    let isOver = false
    const said: string[] = []
    const talking = (async () => {
      while (!isOver) {
        const text = `${said.length}`
        said.push(text)
        expect(await alice.ask('say', { text })).toMatchObject({ ok: true })
      }
    })()
    expect(await accepted(OLD)).toEqual(EVERYWHERE)
    expect(await accepted(NEW)).toEqual(NOWHERE)
    expect(await accepted('')).toEqual(NOWHERE)
    await replace('token', `${OLD}\n${NEW}`)
    await replace('token', `${NEW}\n${OLD}`)
    await replace('token', NEW)
    expect(await accepted(OLD)).toEqual(NOWHERE)
    expect(await accepted(NEW)).toEqual(EVERYWHERE)
    isOver = true
    await talking
    await until('all of it', () => bob.texts().length === said.length)
    expect(bob.texts()).toEqual(said)
    alice.close()
    bob.close()
  })

  it('a key is replaced, and a list that is broken changes nothing', async () => {
    const statuses = async (id: string): Promise<number[]> => {
      const authorization = `Bearer key-of-${id}-of-the-team`
      const published = await fetch(`${urlOf('brokers')}/v1/rooms/keyed/messages`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'backend', text: id }),
      })
      const listed = await fetch(`${urlOf('presences')}/v1/rooms/keyed/members`, {
        headers: { authorization },
      })
      return [published.status, listed.status]
    }
    expect(await statuses('first')).toEqual([201, 200])
    expect(await statuses('second')).toEqual([401, 401])
    await replace('keys', keyList('second'))
    expect(await statuses('first')).toEqual([401, 401])
    expect(await statuses('second')).toEqual([201, 200])
    await write('keys', '[{"id": "third"')
    await until('both to say that it is broken', () => {
      const faults = deployment.logged().filter(({ fault }) => fault === 'is not valid JSON')
      return faults.length === 2
    })
    expect(await statuses('second')).toEqual([201, 200])
  })
})
