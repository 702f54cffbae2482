import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parseKeys, SCOPES } from '@roomcast/runtime'
import { newRoom, roomPath, startTestBroker, type StartedBroker } from '../started-broker.ts'

const keyOf = (id: string): string => `key-of-${id}-long-enough`
const keys = parseKeys(
  JSON.stringify([
    ...SCOPES.map((scope) => ({ id: scope, key: keyOf(scope), scopes: [scope] })),
    { id: 'team', key: keyOf('team'), scopes: ['publish', 'read'], rooms: ['team-*'] },
  ]),
)
const headersOf = (id: string): Record<string, string> => ({ authorization: `Bearer ${keyOf(id)}` })
const message = { username: 'Alice', text: 'hi' }

let broker: StartedBroker
beforeAll(async () => {
  broker = await startTestBroker({ apiKeys: keys, readRequiresKey: true })
})
afterAll(() => broker[Symbol.asyncDispose]())

/** The routes of the API, each as the status of one request with the key of that name. */
const requests = {
  publish: (room: string, id: string) =>
    broker.post(`${roomPath(room)}/messages`, message, headersOf(id)),
  publishBatch: (room: string, id: string) =>
    broker.post('/v1/messages', { messages: [{ room, ...message }] }, headersOf(id)),
  read: (room: string, id: string) =>
    broker.get(`${roomPath(room)}/messages`, { headers: headersOf(id) }),
  delete: (room: string, id: string) =>
    broker.get(roomPath(room), { method: 'DELETE', headers: headersOf(id) }),
} as const

describe('with keys that have scopes', () => {
  it.each([
    ['publish', 'publish', 201],
    ['publishBatch', 'publish', 201],
    ['read', 'read', 200],
    ['delete', 'delete', 404],
  ] as const)('%s takes the scope %s, and no other', async (request, needed, status) => {
    const room = newRoom()
    for (const scope of SCOPES) {
      const answer = await requests[request](room, scope)
      if (scope === needed) {
        expect(answer.status).toBe(status)
        continue
      }
      expect(answer).toMatchObject({
        status: 403,
        body: { code: 'forbidden', detail: `the key ${scope} lacks the scope ${needed}` },
      })
    }
  })

  it('a key for some rooms is refused in others, in a batch as a whole', async () => {
    expect((await requests.publish('team-a', 'team')).status).toBe(201)
    expect((await requests.publishBatch('team-a', 'team')).status).toBe(201)
    for (const request of [requests.publish, requests.publishBatch, requests.read]) {
      expect(await request('a-team', 'team')).toMatchObject({
        status: 403,
        body: { code: 'forbidden', detail: 'the key team is not for this room' },
      })
    }
    const mixed = ['team-b', 'other'].map((room) => ({ room, ...message }))
    expect((await broker.post('/v1/messages', { messages: mixed }, headersOf('team'))).status).toBe(
      403,
    )
    expect((await requests.read('team-b', 'team')).body.messages).toEqual([])
  })

  it('reading takes a key where that is asked for, a stream too', async () => {
    for (const path of ['messages', 'messages?wait=1', 'stream']) {
      const answer = await broker.get(`${roomPath(newRoom())}/${path}`)
      expect(answer).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    }
    const stream = await fetch(`${broker.url}${roomPath(newRoom())}/stream`, {
      headers: headersOf('read'),
    })
    expect(stream.status).toBe(200)
    await stream.body?.cancel()
  })

  it('counts who was refused, and why', async () => {
    await broker.get(`${roomPath(newRoom())}/messages`)
    await broker.get(`${roomPath(newRoom())}/messages`, {
      headers: { authorization: 'Bearer a-key-that-nobody-has' },
    })
    const metrics = await broker.metrics()
    for (const reason of ['no_key', 'wrong_key', 'scope', 'room']) {
      const value = new RegExp(
        `^roomcast_broker_key_refusals_total\\{[^}]*reason="${reason}"[^}]*\\} (\\d+)`,
        'm',
      ).exec(metrics)?.[1]
      expect({ reason, isCounted: Number(value) > 0 }).toEqual({ reason, isCounted: true })
    }
  })

  it('the description names the scope of each route', async () => {
    const { paths } = (await (await fetch(`${broker.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { security: unknown }>>
    }
    expect(paths['/v1/messages']?.['post']?.security).toEqual([{ key: ['publish'] }])
    expect(paths['/v1/rooms/{room}']?.['delete']?.security).toEqual([{ key: ['delete'] }])
    expect(paths['/v1/rooms/{room}/stream']?.['get']?.security).toEqual([{ key: ['read'] }])
  })
})
