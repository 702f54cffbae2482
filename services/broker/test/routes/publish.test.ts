import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { DATA_MAX_BYTES, parseOffset, TEXT_MAX_BYTES, type AppendBatch } from '@roomcast/protocol'
import { createMemoryLog, type RoomLog } from '@roomcast/roomlog'
import { KEY, newRoom, roomPath, startTestBroker, type StartedBroker } from '../started-broker.ts'

const NOW = 1_700_000_000_000

let started: StartedBroker
beforeAll(async () => {
  started = await startTestBroker({}, { now: () => NOW })
})
afterAll(() => started[Symbol.asyncDispose]())

const payloads = async (room: ReturnType<typeof newRoom>): Promise<unknown[]> => {
  const { entries } = await started.roomLog.read(room, { after: 0, limit: 200 })
  return entries.map(({ payload }) => JSON.parse(payload) as unknown)
}

/** A log that reports its first appends as failed, after it did them or without. */
function failing(
  times: number,
  isAppendedAnyway: boolean,
): RoomLog & { readonly calls: () => number } {
  const log = createMemoryLog()
  let calls = 0
  return {
    ...log,
    calls: () => calls,
    async append(batches: readonly AppendBatch[]) {
      if (++calls > times) return log.append(batches)
      if (isAppendedAnyway) await log.append(batches)
      return batches.map(() => ({ status: 'failed' as const, message: 'no answer' }))
    },
  }
}

describe('POST /v1/rooms/{room}/messages', () => {
  it('appends the message as members will see it, and answers its id and offset', async () => {
    const room = newRoom()
    const answer = await started.post(`${roomPath(room)}/messages`, {
      username: ' Alice ',
      text: 'hi',
      type: 1,
      data: { a: [1] },
      id: 'm1',
    })
    expect(answer).toMatchObject({ status: 201, body: { id: 'm1' } })
    expect(parseOffset(answer.body.offset)).toMatchObject({ seq: 1 })
    expect(await payloads(room)).toEqual([
      {
        event: 'broadcast_say',
        room,
        data: { username: 'Alice', text: 'hi', type: 1, data: { a: [1] } },
        id: 'm1',
        ts: NOW,
      },
    ])
  })

  it('gives a message without an id one', async () => {
    const room = newRoom()
    const { body } = await started.post(`${roomPath(room)}/messages`, {
      username: 'Alice',
      text: 'hi',
    })
    expect(body.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(await payloads(room)).toMatchObject([{ id: body.id }])
  })

  it('takes the same id of the same sender as one message, and of another sender as another', async () => {
    const room = newRoom()
    const publish = (username: string) =>
      started.post(`${roomPath(room)}/messages`, { username, text: 'once', id: 'm1' })
    const first = await publish('Alice')
    const again = await publish('Alice')
    const other = await publish('Bob')
    expect(again.body).toEqual(first.body)
    expect(other.body.offset).not.toBe(first.body.offset)
    expect(await payloads(room)).toHaveLength(2)
  })

  it('is busy while more waits for the log than may, and takes messages again after that', async () => {
    const log = createMemoryLog()
    let goOn: (() => void) | undefined
    const held = new Promise<void>((resolve) => (goOn = resolve))
    const slow: RoomLog = {
      ...log,
      async append(batches) {
        await held
        return log.append(batches)
      },
    }
    await using broker = await startTestBroker(
      { publishMaxBytes: 65_536 },
      { roomLog: slow, now: () => NOW },
    )
    const path = `${roomPath(newRoom())}/messages`
    const publish = (text: string) => broker.post(path, { username: 'Alice', text })
    // The first one is taken whatever its size; 20 of 4 KB are more than 64 KB.
    const answers = Array.from({ length: 20 }, () => publish('x'.repeat(4_096)))
    const refused = await Promise.race(answers)
    expect(refused).toMatchObject({ status: 503, body: { code: 'busy' } })
    expect(refused.body.retryAfterMs).toBeGreaterThan(0)
    goOn?.()
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 201).length).toBeGreaterThan(10)
    expect(statuses.filter((status) => status === 503).length).toBeGreaterThan(0)
    expect((await publish('again')).status).toBe(201)
  })

  it('drops unknown fields', async () => {
    const room = newRoom()
    const { body } = await started.post(`${roomPath(room)}/messages`, {
      username: 'Alice',
      text: 'hi',
      ts: 1,
      event: 'join',
      surprise: true,
    })
    expect(Object.keys(body).sort()).toEqual(['id', 'offset'])
    const [message] = await payloads(room)
    expect(message).toMatchObject({ event: 'broadcast_say', ts: NOW })
    expect(JSON.stringify(message)).not.toContain('surprise')
  })

  it('takes the longest text and the largest data, also fully escaped', async () => {
    const text = '\u0001'.repeat(TEXT_MAX_BYTES)
    const data = 'x'.repeat(DATA_MAX_BYTES - 2)
    const escaped = String.raw`\u0078`.repeat(data.length)
    const answer = await started.post(
      `${roomPath(newRoom())}/messages`,
      `{"username":"Alice","text":${JSON.stringify(text)},"data":"${escaped}"}`,
    )
    expect(answer.status).toBe(201)
  })

  it.each([
    ['no text', { username: 'Alice' }, 'text'],
    ['an empty text', { username: 'Alice', text: '' }, 'text'],
    ['a long text', { username: 'Alice', text: 'é'.repeat(TEXT_MAX_BYTES / 2 + 1) }, 'text'],
    ['a text that is a number', { username: 'Alice', text: 5 }, 'text'],
    ['no name', { text: 'hi' }, 'username'],
    ['a blank name', { username: '  ', text: 'hi' }, 'username'],
    ['a name of control characters', { username: 'a\nb', text: 'hi' }, 'username'],
    ['a type that is an object', { username: 'Alice', text: 'hi', type: {} }, 'type'],
    ['large data', { username: 'Alice', text: 'hi', data: 'x'.repeat(DATA_MAX_BYTES) }, 'data'],
    ['an empty id', { username: 'Alice', text: 'hi', id: '' }, 'id'],
  ])('refuses %s and names the field', async (_what, body, path) => {
    const room = newRoom()
    const answer = await started.post(`${roomPath(room)}/messages`, body)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid', status: 400 } })
    expect(answer.type).toContain('application/problem+json')
    expect(answer.body.errors.map((error) => error.path)).toEqual([path])
    expect(await payloads(room)).toEqual([])
  })

  it('refuses data that is nested so deep that it would end the process', async () => {
    const depth = 20_000
    const data = '['.repeat(depth) + ']'.repeat(depth)
    const body = `{"username":"Alice","text":"hi","data":${data}}`
    expect(await started.post(`${roomPath(newRoom())}/messages`, body)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'data' }] },
    })
  })

  it.each([
    ['no JSON', '{"username":', 400, 'invalid'],
    ['an empty body', '', 400, 'invalid'],
    ['an array', '[]', 400, 'invalid'],
    ['null', 'null', 400, 'invalid'],
    ['a key that would change a prototype', '{"__proto__":{"x":1}}', 400, 'invalid'],
    ['a body over the limit', `"${'x'.repeat(200_000)}"`, 413, 'too_large'],
  ])('refuses %s', async (_what, body, status, code) => {
    const answer = await started.post(`${roomPath(newRoom())}/messages`, body)
    expect(answer).toMatchObject({ status, body: { status, code } })
    expect(answer.type).toContain('application/problem+json')
  })

  it.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['application/vnd.roomcast.append'],
    ['x'],
  ])('does not understand the content type %s', async (type) => {
    const answer = await started.post(`${roomPath(newRoom())}/messages`, '{}', {
      'content-type': type,
    })
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } })
  })
})

describe('POST /v1/messages', () => {
  it('publishes to several rooms, keeps the order in each, and answers in the order of the request', async () => {
    const [a, b] = [newRoom(), newRoom()]
    const { status, body } = await started.post('/v1/messages', {
      messages: [
        { room: a, username: 'Alice', text: '1', id: 'a1' },
        { room: b, username: 'Alice', text: '2' },
        { room: a, username: 'Bob', text: '3', id: 'a3' },
      ],
    })
    expect(status).toBe(201)
    expect(body.messages.map(({ room, id }) => [room, id])).toEqual([
      [a, 'a1'],
      [b, expect.stringMatching(/^[0-9a-f-]{36}$/)],
      [a, 'a3'],
    ])
    expect(body.messages.map(({ offset }) => parseOffset(offset)?.seq)).toEqual([1, 1, 2])
    expect(await payloads(a)).toMatchObject([{ data: { text: '1' } }, { data: { text: '3' } }])
    expect(await payloads(b)).toMatchObject([{ data: { text: '2' } }])
  })

  it('publishes nothing when one message is bad, and names it', async () => {
    const room = newRoom()
    const good = { room, username: 'Alice', text: 'hi' }
    const { status, body } = await started.post('/v1/messages', {
      messages: [good, good, good, { ...good, text: '' }, { ...good, room: '..' }],
    })
    expect(status).toBe(400)
    expect(body.code).toBe('invalid')
    expect(body.errors.map(({ path }) => path)).toEqual(['messages.3.text', 'messages.4.room'])
    expect(await payloads(room)).toEqual([])
  })

  it.each([
    ['no list', {}],
    ['an empty list', { messages: [] }],
    [
      'too long a list',
      {
        messages: Array.from({ length: 101 }, () => ({ room: 'x', username: 'Alice', text: 'hi' })),
      },
    ],
  ])('refuses %s', async (_what, body) => {
    expect(await started.post('/v1/messages', body)).toMatchObject({
      status: 400,
      body: { code: 'invalid', errors: [{ path: 'messages' }] },
    })
  })

  it('takes a full batch of the largest messages', async () => {
    const room = newRoom()
    const largest = {
      room,
      username: 'Alice',
      text: 'x'.repeat(TEXT_MAX_BYTES),
      data: 'x'.repeat(DATA_MAX_BYTES - 2),
    }
    const answer = await started.post('/v1/messages', {
      messages: Array.from({ length: 100 }, () => largest),
    })
    expect(answer.status).toBe(201)
    expect(await payloads(room)).toHaveLength(100)
  })
})

describe('a log that fails', () => {
  const message = { username: 'Alice', text: 'once' }

  it('is tried again, without doubling what it took nevertheless', async () => {
    const roomLog = failing(2, true)
    await using own = await startTestBroker({}, { roomLog })
    const room = newRoom()
    const { status, body } = await own.post(`${roomPath(room)}/messages`, message)
    expect({ status, calls: roomLog.calls() }).toEqual({ status: 201, calls: 3 })
    expect(parseOffset(body.offset)?.seq).toBe(1)
    expect((await roomLog.read(room, { limit: 10 })).entries).toHaveLength(1)
  })

  it('is answered with unavailable and when to come back, soon', async () => {
    const roomLog = failing(Infinity, false)
    await using own = await startTestBroker({}, { roomLog })
    const started = performance.now()
    const answer = await own.post(`${roomPath(newRoom())}/messages`, message)
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'unavailable', retryAfterMs: 1_000 },
    })
    expect(answer.headers.get('retry-after')).toBe('1')
    const batch = await own.post('/v1/messages', { messages: [{ room: newRoom(), ...message }] })
    expect(batch.status).toBe(503)
    expect(await own.metrics()).toMatch(/^roomcast_broker_appends_total\{result="failed"\} 8$/m)
  })
})

describe('with API_KEYS', () => {
  let guarded: StartedBroker
  beforeAll(async () => {
    guarded = await startTestBroker({ apiKeys: [KEY, 'another-key-of-somebody'] })
  })
  afterAll(() => guarded[Symbol.asyncDispose]())
  const message = { username: 'Alice', text: 'hi' }

  it.each([
    ['no key', {}],
    ['a wrong key', { authorization: 'Bearer a-key-that-is-long-enougH' }],
    ['a key in another scheme', { authorization: `Basic ${KEY}` }],
  ])('refuses to publish and to delete with %s', async (_what, headers) => {
    const room = newRoom()
    for (const answer of [
      await guarded.post(`${roomPath(room)}/messages`, message, headers),
      await guarded.post('/v1/messages', { messages: [{ room, ...message }] }, headers),
      await guarded.post('/v1/messages', 'not even JSON', headers),
      await guarded.get(roomPath(room), { method: 'DELETE', headers }),
    ]) {
      expect(answer).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    }
  })

  it('publishes and deletes with a key, and lets everybody read', async () => {
    const room = newRoom()
    const headers = { authorization: `Bearer ${KEY}` }
    expect(await guarded.post(`${roomPath(room)}/messages`, message, headers)).toMatchObject({
      status: 201,
    })
    expect(await guarded.get(`${roomPath(room)}/messages`)).toMatchObject({
      status: 200,
      body: { messages: [{ data: { text: 'hi' } }] },
    })
    expect(await guarded.get(roomPath(room), { method: 'DELETE', headers })).toMatchObject({
      status: 204,
    })
    expect(guarded.logged()).not.toContain('everybody may publish')
  })

  it('warns once at its start when there are none', () => {
    expect(
      started.logged().match(/API_KEYS is not set: everybody may publish and delete/g),
    ).toHaveLength(1)
  })
})
