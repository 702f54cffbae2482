import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createMemoryLog, LogUnavailable, type RoomLog } from '@roomcast/roomlog'
import { until, within, PATIENCE_MS } from '../../../../test/support/processes.ts'
import {
  newRoom,
  roomPath,
  startTestBroker,
  type Body,
  type StartedBroker,
} from '../started-broker.ts'

let started: StartedBroker
beforeAll(async () => {
  started = await startTestBroker()
})
afterAll(() => started[Symbol.asyncDispose]())

type Room = ReturnType<typeof newRoom>
const page = (room: Room, query = '', own = started) =>
  own.get(`${roomPath(room)}/messages${query}`)
const texts = (body: Body): string[] => body.messages.map(({ data }) => data.text)
const gauge = (name: string, value: number, own = started) =>
  until(`${name} of ${value}`, async () =>
    new RegExp(`^roomcast_broker_${name} ${value}$`, 'm').test(await own.metrics()),
  )

describe('GET /v1/rooms/{room}/messages', () => {
  it('answers the latest messages, oldest first, with their offsets and where to go on', async () => {
    const room = newRoom()
    const offsets = await started.say(room, '1', '2', '3')
    const { status, body } = await page(room, '?limit=2')
    expect(status).toBe(200)
    expect(texts(body)).toEqual(['2', '3'])
    expect(body.messages.map(({ offset }) => offset)).toEqual(offsets.slice(1))
    expect(body.messages[0]).toMatchObject({
      event: 'broadcast_say',
      room,
      data: { username: 'Alice' },
    })
    expect(body).toMatchObject({ offset: offsets[2], complete: true })
  })

  it('goes forward after an offset, page by page to the end', async () => {
    const room = newRoom()
    await started.say(room, '1', '2', '3')
    const seen: string[] = []
    let offset = '0:0'
    for (let i = 0; i < 3; i++) {
      const { body } = await page(room, `?limit=2&after=${offset}`)
      expect(body.complete).toBe(true)
      seen.push(...texts(body))
      offset = body.offset
    }
    expect(seen).toEqual(['1', '2', '3'])
  })

  it('goes backward before an offset, page by page to the beginning', async () => {
    const room = newRoom()
    const [, , , fourth] = await started.say(room, '1', '2', '3', '4')
    const first = await page(room, `?limit=2&before=${fourth}`)
    expect(texts(first.body)).toEqual(['2', '3'])
    const oldest = first.body.messages[0]?.offset
    const second = await page(room, `?limit=2&before=${oldest}`)
    expect(texts(second.body)).toEqual(['1'])
    expect(second.body.complete).toBe(true)
    const third = await page(room, `?before=${second.body.messages[0]?.offset}`)
    expect(texts(third.body)).toEqual([])
    expect(texts((await page(room, `?after=${third.body.offset}`)).body)).toEqual([
      '1',
      '2',
      '3',
      '4',
    ])
  })

  it('answers for a room in which nothing was said with an empty page that can be gone on from', async () => {
    const room = newRoom()
    const { status, body } = await page(room)
    expect({ status, body }).toEqual({
      status: 200,
      body: { messages: [], offset: '0:0', complete: true },
    })
    await started.say(room, 'first')
    expect(texts((await page(room, `?after=${body.offset}`)).body)).toEqual(['first'])
  })

  it('says when messages that belong on the page are gone', async () => {
    const roomLog = createMemoryLog({ retention: { historySize: 10 } })
    await using own = await startTestBroker({}, { roomLog })
    const room = newRoom()
    const all = Array.from({ length: 111 }, (_, i) => String(i + 1))
    const offsets = await own.say(room, ...all)
    const get = async (query: string) => (await page(room, query, own)).body
    expect(await get('?limit=10')).toMatchObject({ complete: true })
    expect(await get('?limit=20')).toMatchObject({ complete: false })
    expect(await get('?after=0:0&limit=20')).toMatchObject({
      complete: false,
      offset: offsets.at(-1),
    })
    expect(await get(`?after=${offsets[100]}`)).toMatchObject({ complete: true })
    expect(await get(`?after=${offsets[99]}`)).toMatchObject({ complete: false })
    expect(await get(`?before=${offsets[103]}&limit=2`)).toMatchObject({ complete: true })
    expect(await get(`?before=${offsets[103]}&limit=3`)).toMatchObject({ complete: false })
  })

  it.each([
    ['?after=nonsense', 'invalid_offset', ['after']],
    ['?after=', 'invalid_offset', ['after']],
    ['?after=a:1&after=a:2', 'invalid', ['after']],
    ['?before=a:-1', 'invalid_offset', ['before']],
    ['?after=a:99999999999999999999', 'invalid_offset', ['after']],
    ['?limit=0', 'invalid', ['limit']],
    ['?limit=201', 'invalid', ['limit']],
    ['?limit=many', 'invalid', ['limit']],
    ['?wait=56', 'invalid', ['wait']],
    ['?wait=-1', 'invalid', ['wait']],
    ['?after=a:1&before=a:2', 'invalid', ['']],
    ['?before=a:1&wait=1', 'invalid', ['']],
  ])('refuses %s', async (query, code, paths) => {
    const { status, body } = await page(newRoom(), query)
    expect({ status, code: body.code }).toEqual({ status: 400, code })
    expect(body.errors.map(({ path }) => path)).toEqual(paths)
  })

  it.each([['after=zzz:1'], ['before=zzz:1'], ['after=zzz:1&wait=1']])(
    'answers ?%s of another log with offset_gone',
    async (query) => {
      const room = newRoom()
      await started.say(room, 'hi')
      expect(await page(room, `?${query}`)).toMatchObject({
        status: 410,
        body: { code: 'offset_gone' },
      })
    },
  )

  it('answers an offset beyond the end of the log with offset_gone', async () => {
    const room = newRoom()
    const [offset = ''] = await started.say(room, 'hi')
    const later = offset.replace(/:1$/, ':2')
    expect(await page(room, `?after=${later}`)).toMatchObject({
      status: 410,
      body: { code: 'offset_gone' },
    })
  })

  it('leaves out what it cannot read, and goes on after it', async () => {
    const room = newRoom()
    await started.roomLog.append([{ room, messages: [{ payload: '{"event":"of tomorrow"}' }] }])
    const [offset] = await started.say(room, 'readable')
    const { body } = await page(room)
    expect(texts(body)).toEqual(['readable'])
    expect(body.offset).toBe(offset)
  })

  it.each([
    ['a line break', '%0A'],
    ['only dots', '%2E%2E%00'],
    ['nothing', ''],
    ['129 characters', 'a'.repeat(129)],
    ['thousands of characters', 'a'.repeat(8_000)],
    ['half a percent-encoding', '%'],
    ['bytes that are no UTF-8', '%FF%FE'],
  ])('refuses a room id of %s', async (_what, room) => {
    const { status, body } = await started.get(`/v1/rooms/${room}/messages`)
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid' })
  })

  it('takes every room id that there may be', async () => {
    for (const room of [
      '🙂'.repeat(128),
      'a/b',
      '%2F',
      'a?b#c',
      'a+b;c',
      'constructor',
      '__proto__',
      ' ',
    ]) {
      const answer = await started.post(`${roomPath(room)}/messages`, {
        username: 'Alice',
        text: 'hi',
      })
      expect(answer.status).toBe(201)
      const { body } = await started.get(`${roomPath(room)}/messages`)
      expect(body.messages.at(-1)?.room).toBe(room.normalize('NFC'))
    }
  })
})

describe('a long poll', () => {
  it('answers at once when something is there', async () => {
    const room = newRoom()
    const [first] = await started.say(room, '1', '2')
    const { body } = await within(2_000, 'an answer', page(room, `?after=${first}&wait=55`))
    expect(texts(body)).toEqual(['2'])
  })

  it('answers as soon as something comes', async () => {
    const room = newRoom()
    const [first] = await started.say(room, '1')
    const poll = page(room, `?after=${first}&wait=55`)
    await gauge('waiting_polls', 1)
    const [second] = await started.say(room, '2')
    const { body } = await within(2_000, 'an answer', poll)
    expect(texts(body)).toEqual(['2'])
    expect(body).toMatchObject({ offset: second, complete: true })
    await gauge('waiting_polls', 0)
  })

  it('waits for what comes after the present end when it names no offset', async () => {
    const room = newRoom()
    await started.say(room, 'old')
    const poll = page(room, '?wait=55')
    await gauge('waiting_polls', 1)
    await started.say(room, 'new')
    expect(texts((await poll).body)).toEqual(['new'])
  })

  it('waits also in a room in which nothing was said', async () => {
    const room = newRoom()
    const poll = page(room, '?after=0:0&wait=55')
    await gauge('waiting_polls', 1)
    await started.say(room, 'first')
    expect(texts((await poll).body)).toEqual(['first'])
  })

  it('answers with an empty page when its time is over', async () => {
    const room = newRoom()
    const [offset] = await started.say(room, '1')
    const { status, body } = await page(room, `?after=${offset}&wait=0.05`)
    expect({ status, body }).toEqual({
      status: 200,
      body: { messages: [], offset, complete: true },
    })
  })

  it('misses nothing when it is asked again and again under traffic', async () => {
    const room = newRoom()
    const all = Array.from({ length: 100 }, (_, i) => String(i))
    const saying = started.say(room, ...all)
    const seen: string[] = []
    let offset = '0:0'
    while (seen.length < all.length) {
      const { body } = await within(PATIENCE_MS, 'a page', page(room, `?after=${offset}&wait=5`))
      seen.push(...texts(body))
      offset = body.offset
    }
    expect(seen).toEqual(all)
    await saying
  })

  it('ends with a client that goes away', async () => {
    const client = new AbortController()
    const poll = started
      .get(`${roomPath(newRoom())}/messages?wait=55`, { signal: client.signal })
      .catch(() => 'gone')
    await gauge('waiting_polls', 1)
    client.abort()
    expect(await poll).toBe('gone')
    await gauge('waiting_polls', 0)
  })

  it('is refused when too many wait, with when to come back', async () => {
    await using own = await startTestBroker({ maxStreams: 1 })
    const room = newRoom()
    const first = page(room, '?wait=55', own)
    await gauge('waiting_polls', 1, own)
    const second = await page(room, '?wait=55', own)
    expect(second).toMatchObject({ status: 503, body: { code: 'busy', retryAfterMs: 1_000 } })
    expect(second.headers.get('retry-after')).toBe('1')
    await own.say(room, 'there')
    expect(texts((await first).body)).toEqual(['there'])
    expect(await page(room, '?after=0:0&wait=55', own)).toMatchObject({ status: 200 })
  })

  it('answers what it has when the broker ends', async () => {
    const own = await startTestBroker()
    const room = newRoom()
    const [offset] = await own.say(room, '1')
    const poll = page(room, `?after=${offset}&wait=55`, own)
    await gauge('waiting_polls', 1, own)
    await within(2_000, 'the end', own[Symbol.asyncDispose]())
    expect(await poll).toMatchObject({ status: 200, body: { messages: [], offset } })
  })
})

describe('a log that is away', () => {
  it('is answered with unavailable', async () => {
    const away = async (): Promise<never> => {
      throw new LogUnavailable('while reading a room')
    }
    const log = createMemoryLog()
    const roomLog: RoomLog = {
      ...log,
      read: away,
      heads: away,
      follow: away,
      moderation: { ...log.moderation, act: away },
    }
    await using own = await startTestBroker({}, { roomLog })
    const room = newRoom()
    for (const answer of [
      await page(room, '', own),
      await page(room, '?wait=1', own),
      await own.get(`${roomPath(room)}/stream`),
      await own.get(roomPath(room), { method: 'DELETE' }),
    ]) {
      expect(answer).toMatchObject({
        status: 503,
        body: { code: 'unavailable', retryAfterMs: 1_000 },
      })
      expect(answer.headers.get('retry-after')).toBe('1')
    }
    expect(own.logged()).not.toContain('request failed')
  })
})
