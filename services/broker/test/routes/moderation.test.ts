import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parseOffset, type LoggedMessage } from '@roomcast/protocol'
import {
  JSON_TYPE,
  KEY,
  newRoom,
  roomPath,
  startTestBroker,
  type Answer,
  type StartedBroker,
} from '../started-broker.ts'

let started: StartedBroker
beforeAll(async () => {
  started = await startTestBroker()
})
afterAll(() => started[Symbol.asyncDispose]())

const remove = (path: string, init: RequestInit = {}): Promise<Answer> =>
  started.get(path, { ...init, method: 'DELETE' })
const messagesOf = async (room: string): Promise<readonly LoggedMessage[]> =>
  (await started.get(`${roomPath(room)}/messages`)).body.messages as unknown as LoggedMessage[]
const eventsOf = async (room: string) =>
  (await messagesOf(room)).map(({ event, data }) => ({ event, data }))

/** The audit lines of a broker, in order. */
function auditOf(broker: StartedBroker): Record<string, unknown>[] {
  return broker
    .logged()
    .split('\n')
    .filter((line) => line.includes('"msg":"audit"'))
    .map((line) => (JSON.parse(line) as { audit: Record<string, unknown> }).audit)
}

describe('DELETE /v1/rooms/{room}', () => {
  it('deletes the messages and tells the members; the numbers go on', async () => {
    const room = newRoom()
    await started.say(room, '1', '2')
    expect(await remove(roomPath(room))).toMatchObject({ status: 204 })
    expect(await eventsOf(room)).toEqual([{ event: 'cleared', data: {} }])
    const [offset] = await started.say(room, '3')
    expect(parseOffset(offset ?? '')?.seq).toBe(4)
  })

  it('takes a content type without a body, as some clients send', async () => {
    const room = newRoom()
    await started.say(room, '1')
    const headers = { 'content-type': JSON_TYPE }
    expect(await remove(roomPath(room), { headers })).toMatchObject({ status: 204 })
  })

  it('answers not_found for a room in which nothing was said', async () => {
    expect(await remove(roomPath(newRoom()))).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    })
  })
})

describe('DELETE /v1/rooms/{room}/messages/{message}', () => {
  const say = async (room: string, text: string, id: string, username = 'Alice') => {
    const { body } = await started.post(`${roomPath(room)}/messages`, { username, text, id })
    return body.offset
  }
  const path = (room: string, message: string): string =>
    `${roomPath(room)}/messages/${encodeURIComponent(message)}`

  it.each(['offset', 'id'])('deletes what its %s names, and tells the members', async (by) => {
    const room = newRoom()
    await say(room, 'one', 'm/1 é')
    const offset = await say(room, 'two', 'm/2 é')
    const deleted = await remove(path(room, by === 'id' ? 'm/2 é' : offset))
    expect(deleted.status).toBe(200)
    expect(parseOffset(deleted.body.offset)?.seq).toBe(3)
    expect(await eventsOf(room)).toEqual([
      { event: 'broadcast_say', data: { username: 'Alice', text: 'one' } },
      { event: 'deleted', data: { offset, id: 'm/2 é' } },
    ])
    expect((await started.get(`${roomPath(room)}/messages`)).body.complete).toBe(true)
    // Sent again it is still the message that it was.
    expect(await say(room, 'two', 'm/2 é')).toBe(offset)
    expect(await messagesOf(room)).toHaveLength(2)
    expect(await remove(path(room, offset))).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    })
  })

  it('does not choose between two messages with one id', async () => {
    const room = newRoom()
    await say(room, 'of alice', 'same')
    await say(room, 'of mallory', 'same', 'Mallory')
    expect(await remove(path(room, 'same'))).toMatchObject({
      status: 409,
      body: { code: 'ambiguous' },
    })
    expect(await messagesOf(room)).toHaveLength(2)
  })

  it('finds an id beyond the first page, and leaves notices and foreign offsets alone', async () => {
    const room = newRoom()
    const first = await say(room, 'first', 'wanted')
    const { epoch = '' } = parseOffset(first) ?? {}
    await started.roomLog.append([
      { room, messages: Array.from({ length: 250 }, () => ({ payload: '{"event":"join"}' })) },
    ])
    await started.roomLog.append([
      { room, messages: Array.from({ length: 255 }, () => ({ payload: '{"event":"join"}' })) },
    ])
    expect(await remove(path(room, 'wanted'))).toMatchObject({ status: 200 })
    expect(await remove(path(room, `${epoch}:2`))).toMatchObject({ status: 404 })
    expect(await remove(path(room, `${epoch}:0`))).toMatchObject({ status: 404 })
    expect(await remove(path(room, 'zzz:2'))).toMatchObject({ body: { code: 'offset_gone' } })
    expect(await remove(path(room, 'unknown'))).toMatchObject({ status: 404 })
  })
})

describe('kicks and bans', () => {
  it('are told to the room, and a ban is listed until it is lifted', async () => {
    const room = newRoom()
    await started.say(room, 'x')
    const kicked = await started.post(`${roomPath(room)}/kick`, { user: 'bob', reason: 'spam' })
    expect(kicked).toMatchObject({ status: 200, body: { offset: expect.stringMatching(/:2$/) } })
    const banned = await started.post(`${roomPath(room)}/bans`, {
      user: 'bob ü',
      durationMs: 60_000,
    })
    expect(banned.status).toBe(201)
    const listed = await started.get(`${roomPath(room)}/bans`)
    const { bans } = listed.body as unknown as { bans: { since: number; until: number }[] }
    const [ban] = bans
    expect(ban).toMatchObject({ user: 'bob ü' })
    expect((ban?.until ?? 0) - (ban?.since ?? 0)).toBe(60_000)
    expect((await eventsOf(room)).slice(1)).toEqual([
      { event: 'kicked', data: { user: 'bob', reason: 'spam' } },
      { event: 'banned', data: { user: 'bob ü', until: ban?.until } },
    ])
    const lift = `${roomPath(room)}/bans/${encodeURIComponent('bob ü')}`
    expect((await remove(lift)).status).toBe(204)
    expect((await remove(lift)).status).toBe(404)
    expect((await started.get(`${roomPath(room)}/bans`)).body).toEqual({ bans: [] })
  })

  it.each([
    ['kick', {}, 'user'],
    ['kick', { user: 'a\nb' }, 'user'],
    ['kick', { user: 'a', reason: 'x'.repeat(257) }, 'reason'],
    ['bans', { user: 'a', durationMs: 1 }, 'durationMs'],
    ['bans', { user: 'a', durationMs: 1e15 }, 'durationMs'],
  ])('POST %s refuses %j', async (path, body, fault) => {
    const answer = await started.post(`${roomPath(newRoom())}/${path}`, body)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid' } })
    expect(answer.body.errors[0]?.path).toBe(fault)
  })
})

describe('POST /v1/users/{user}/disconnect', () => {
  const revoked = async (user: string) =>
    (await started.roomLog.revocations.list()).find((one) => one.user === user)

  it('revokes tokens, unless it is asked not to', async () => {
    const answer = await started.post('/v1/users/a%20b%2Fc/disconnect', { reason: 'gone' })
    const at = (answer.body as unknown as { at: number }).at
    expect(await revoked('a b/c')).toEqual({ user: 'a b/c', at, tokensBefore: at, reason: 'gone' })
    await started.post('/v1/users/dave/disconnect', { revokeTokens: false })
    expect(await revoked('dave')).toMatchObject({ tokensBefore: 0 })
  })

  it('takes no body at all', async () => {
    expect(await started.get('/v1/users/erin/disconnect', { method: 'POST' })).toMatchObject({
      status: 200,
    })
    expect((await revoked('erin'))?.tokensBefore).toBeGreaterThan(0)
  })
})

describe('the audit', () => {
  it('has one line and one count for each act that was allowed, whatever became of it and whatever is logged', async () => {
    await using own = await startTestBroker({
      apiKeys: [{ id: 'mod-1', key: KEY, scopes: ['moderate', 'publish'] }],
      logLevel: 'error',
    })
    const room = newRoom()
    const headers = { authorization: `Bearer ${KEY}` }
    const path = roomPath(room)
    await own.post(`${path}/messages`, { username: 'a', text: 'x' }, headers)
    const reason = 'line\u2028 "quoted" {} <b>'
    expect((await own.post(`${path}/kick`, { user: 'bob' })).status).toBe(401)
    expect((await own.get(path, { method: 'DELETE', headers })).status).toBe(403)
    await own.post(`${path}/kick`, { user: 'bob', reason }, headers)
    await own.get(`${path}/bans/bob`, { method: 'DELETE', headers })
    const asked = await own.post('/v1/users/bob/disconnect', {}, headers)
    expect(asked.status).toBe(200)
    const by = { v: 1, by: 'mod-1' }
    expect(auditOf(own)).toEqual([
      { ...by, action: 'kick', room, user: 'bob', reason, result: 'done' },
      { ...by, action: 'unban', room, user: 'bob', result: 'not_found' },
      { ...by, action: 'disconnect', user: 'bob', result: 'done' },
    ])
    expect(own.logged()).not.toContain(KEY)
    const metrics = await own.metrics()
    const counted = (action: string, result: string): string | undefined =>
      new RegExp(
        `^roomcast_broker_moderations_total\\{[^}]*action="${action}"[^}]*result="${result}"[^}]*\\} (\\d+)`,
        'm',
      ).exec(metrics)?.[1]
    expect([
      counted('kick', 'done'),
      counted('unban', 'not_found'),
      counted('ban', 'done'),
    ]).toEqual(['1', '1', '0'])
  })
})
