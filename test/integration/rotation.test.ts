import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
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
      SAY_RATE_PER_SECOND: '10000',
      SAY_BURST: '10000',
    },
  })
}, 60_000)
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

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
    const accepted = async (token: string): Promise<boolean[]> =>
      Promise.all(
        [`${urlOf('brokers')}/internal/append`, `${urlOf('presences')}/internal/replica`].map(
          async (url) => {
            const method = url.endsWith('append') ? 'POST' : 'GET'
            const headers = { 'x-roomcast-token': token, 'x-forwarded-for': '127.0.0.1' }
            return (await fetch(url, { method, headers })).status !== 401
          },
        ),
      )
    expect(await accepted(OLD)).toEqual([true, true])
    expect(await accepted(NEW)).toEqual([false, false])
    expect(await accepted('')).toEqual([false, false])
    await replace('token', `${OLD}\n${NEW}`)
    await replace('token', `${NEW}\n${OLD}`)
    await replace('token', NEW)
    expect(await accepted(OLD)).toEqual([false, false])
    expect(await accepted(NEW)).toEqual([true, true])
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
