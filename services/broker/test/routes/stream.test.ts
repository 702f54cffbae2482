import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createMemoryLog, LogUnavailable, type RoomLog } from '@roomcast/roomlog'
import { until, within } from '../../../../test/support/processes.ts'
import { readEvents, type EventReader } from '../event-reader.ts'
import { newRoom, roomPath, startTestBroker, type StartedBroker } from '../started-broker.ts'

let started: StartedBroker
beforeAll(async () => {
  started = await startTestBroker()
})
afterAll(() => started[Symbol.asyncDispose]())

type Room = ReturnType<typeof newRoom>
const open = (room: Room, headers = {}, query = '', own = started): Promise<EventReader> =>
  readEvents(`${own.url}${roomPath(room)}/stream${query}`, headers)
const hasTexts = (reader: EventReader, ...texts: string[]): Promise<void> =>
  within(
    5_000,
    `${texts.join()}; got ${reader.texts().join()}`,
    reader.has(() => reader.texts().length >= texts.length),
  ).then(() => expect(reader.texts()).toEqual(texts))

describe('GET /v1/rooms/{room}/stream', () => {
  it('gives what is said from now on, each with its offset as id', async () => {
    const room = newRoom()
    await started.say(room, 'old')
    using reader = await open(room)
    expect(reader.response.statusCode).toBe(200)
    expect(reader.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    })
    const offsets = await started.say(room, '1', '2')
    await hasTexts(reader, '1', '2')
    expect(reader.events.map(({ id }) => id)).toEqual(offsets)
    expect(reader.events[0]).toMatchObject({
      event: 'message',
      data: { event: 'broadcast_say', room, offset: offsets[0] },
    })
  })

  it('begins with the place to come back to, so that a client that was cut off before the first message misses none', async () => {
    const room = newRoom()
    const [end] = await started.say(room, 'old')
    const reader = await open(room)
    await until('the first id', () => reader.lastEventId() !== '')
    expect(reader.lastEventId()).toBe(end)
    reader[Symbol.dispose]()
    await started.say(room, 'missed')
    using again = await open(room, { 'last-event-id': reader.lastEventId() })
    await hasTexts(again, 'missed')
  })

  it('goes on after Last-Event-ID, which is newer than ?after=', async () => {
    const room = newRoom()
    const [first, second = ''] = await started.say(room, '1', '2', '3')
    using byQuery = await open(room, {}, `?after=${first}`)
    await hasTexts(byQuery, '2', '3')
    using byHeader = await open(room, { 'last-event-id': second }, `?after=${first}`)
    await hasTexts(byHeader, '3')
    await started.say(room, '4')
    await hasTexts(byQuery, '2', '3', '4')
    await hasTexts(byHeader, '3', '4')
  })

  it('takes an empty Last-Event-ID for none', async () => {
    const room = newRoom()
    await started.say(room, 'old')
    using reader = await open(room, { 'last-event-id': '' })
    await started.say(room, 'new')
    await hasTexts(reader, 'new')
  })

  it('gives a long backlog and what comes meanwhile, each once and in order', async () => {
    const room = newRoom()
    const old = Array.from({ length: 300 }, (_, i) => `old ${i}`)
    const fresh = Array.from({ length: 100 }, (_, i) => `new ${i}`)
    await started.say(room, ...old)
    const saying = started.say(room, ...fresh)
    using reader = await open(room, {}, '?after=0:0')
    await hasTexts(reader, ...old, ...fresh)
    await saying
  })

  it('begins in a room in which nothing was ever said', async () => {
    const room = newRoom()
    using reader = await open(room)
    await started.say(room, 'first')
    await hasTexts(reader, 'first')
  })

  it.each([
    ['of another log', 'zzz:1', 'foreign'],
    ['beyond the end', ':9', 'cut'],
  ])(
    'resets a client whose offset is %s, and goes on live from the end',
    async (_what, id, reason) => {
      const room = newRoom()
      const [offset] = await started.say(room, 'old')
      const asked = id.startsWith(':') ? `${offset?.split(':')[0]}${id}` : id
      using reader = await open(room, { 'last-event-id': asked })
      await started.say(room, 'new')
      await hasTexts(reader, 'new')
      expect(reader.events.map(({ event }) => event)).toEqual(['reset', 'message'])
      expect(reader.events[0]).toMatchObject({ id: offset, data: { reason } })
    },
  )

  it('tells a client when messages that it missed are gone', async () => {
    const roomLog = createMemoryLog({ retention: { historySize: 10 } })
    await using own = await startTestBroker({}, { roomLog })
    const room = newRoom()
    await own.say(room, ...Array.from({ length: 111 }, (_, i) => String(i + 1)))
    using reader = await open(room, {}, '?after=0:0', own)
    await hasTexts(reader, ...Array.from({ length: 10 }, (_, i) => String(i + 102)))
    expect(reader.events[0]?.event).toBe('lost')
    expect(reader.events.filter(({ event }) => event === 'lost')).toHaveLength(1)
  })

  it('tells a client also when all that it missed was deleted', async () => {
    const room = newRoom()
    await started.say(room, '1', '2')
    await started.roomLog.clear(room)
    using reader = await open(room, {}, '?after=0:0')
    await reader.has((events) => events.length === 1)
    expect(reader.events[0]?.event).toBe('lost')
    await started.say(room, '3')
    await hasTexts(reader, '3')
  })

  it.each([
    ['a header', { 'last-event-id': 'nonsense' }, '', 'last-event-id'],
    ['a query', {}, '?after=nonsense', 'after'],
  ])('refuses an offset in %s that no server made', async (_what, headers, query, path) => {
    const answer = await started.get(`${roomPath(newRoom())}/stream${query}`, { headers })
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_offset', errors: [{ path }] },
    })
  })

  it('sends a comment now and then', async () => {
    await using own = await startTestBroker({ streamHeartbeatMs: 100 })
    using reader = await open(newRoom(), {}, '', own)
    await until(
      'two comments',
      () => reader.comments.filter((text) => text === 'alive').length >= 2,
    )
  })

  it('finds by its heartbeat what a subscription lost without a trace', async () => {
    const log = createMemoryLog()
    const deaf: RoomLog = {
      ...log,
      follow: async () => ({ renew: async () => undefined, stop: () => undefined }),
    }
    await using own = await startTestBroker({ streamHeartbeatMs: 100 }, { roomLog: deaf })
    const room = newRoom()
    using reader = await open(room, {}, '', own)
    await own.say(room, 'silent')
    await hasTexts(reader, 'silent')
  })

  it('begins also when the subscription is in force a little later than the log', async () => {
    const log = createMemoryLog()
    let calls = 0
    const late: RoomLog = {
      ...log,
      follow: (room, follower) =>
        ++calls < 3
          ? Promise.reject(new LogUnavailable('while subscribing'))
          : log.follow(room, follower),
    }
    await using own = await startTestBroker({}, { roomLog: late })
    const room = newRoom()
    await own.say(room, 'old')
    using reader = await open(room, {}, '?after=0:0', own)
    await until('the subscription', () => calls === 3)
    await own.say(room, 'new')
    await hasTexts(reader, 'old', 'new')
  })

  it('is ended when it cannot begin, with the place to come back to', async () => {
    const away: RoomLog = {
      ...createMemoryLog(),
      follow: () => Promise.reject(new LogUnavailable('while subscribing')),
    }
    await using own = await startTestBroker({}, { roomLog: away })
    const room = newRoom()
    const [first] = await own.say(room, 'old')
    const reader = await open(room, {}, '?after=0:0', own)
    await reader.ended()
    expect(reader.texts()).toEqual(['old'])
    expect(reader.lastEventId()).toBe(first)
    expect(reader.comments).toContain('unavailable')
  })

  it('is counted while it is open, and bounded together with waiting polls', async () => {
    await using own = await startTestBroker({ maxStreams: 1 })
    const room = newRoom()
    const reader = await open(room, {}, '', own)
    expect(await own.metrics()).toMatch(/^roomcast_broker_streams 1$/m)
    expect(await own.get(`${roomPath(room)}/stream`)).toMatchObject({
      status: 503,
      body: { code: 'busy' },
    })
    expect(await own.get(`${roomPath(room)}/messages?wait=1`)).toMatchObject({ status: 503 })
    reader[Symbol.dispose]()
    await until('its end', async () => /^roomcast_broker_streams 0$/m.test(await own.metrics()))
    using next = await open(room, {}, '', own)
    expect(next.response.statusCode).toBe(200)
  })

  it('ends politely when the broker ends', async () => {
    const own = await startTestBroker()
    const reader = await open(newRoom(), {}, '', own)
    await within(2_000, 'the end', own[Symbol.asyncDispose]())
    await reader.ended()
    expect(reader.comments).toContain('the server ends')
  })

  it('has no HEAD', async () => {
    const response = await fetch(`${started.url}${roomPath(newRoom())}/stream`, { method: 'HEAD' })
    expect(response.status).toBe(404)
  })
})

describe('a client that does not read', () => {
  const large = { username: 'Alice', text: 'hi', data: 'x'.repeat(16_000) }

  /** Sends the request and then reads nothing at all. */
  async function openDeaf(own: StartedBroker, room: Room, query = '') {
    const socket = connect(own.broker.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.pause()
    socket.on('error', () => undefined)
    socket.write(`GET ${roomPath(room)}/stream${query} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until('the stream', async () => /^roomcast_broker_streams 1$/m.test(await own.metrics()))
    return socket
  }
  const say = async (own: StartedBroker, room: Room, times: number): Promise<void> => {
    const messages = Array.from({ length: 100 }, () => ({ room, ...large }))
    for (let i = 0; i < times; i++) {
      expect((await own.post('/v1/messages', { messages })).status).toBe(201)
    }
  }

  it('is ended when too much waits for it', async () => {
    await using own = await startTestBroker({ streamBufferBytes: 65_536 })
    const room = newRoom()
    const socket = await openDeaf(own, room)
    // More than what the kernel buffers for a connection, several times.
    await say(own, room, 10)
    await until('its end', async () =>
      /^roomcast_broker_slow_streams_total 1$/m.test(await own.metrics()),
    )
    expect(await own.metrics()).toMatch(/^roomcast_broker_streams 0$/m)
    socket.destroy()
  })

  it('is given what it missed no faster than it reads', async () => {
    const log = createMemoryLog({ retention: { historySize: 2_500 } })
    let received = 0
    let readBytes = 0
    let furthestAhead = 0
    const roomLog: RoomLog = {
      ...log,
      async read(room, range) {
        const page = await log.read(room, range)
        readBytes += page.entries.reduce((sum, { payload }) => sum + payload.length, 0)
        furthestAhead = Math.max(furthestAhead, readBytes - received)
        return page
      },
    }
    await using own = await startTestBroker({ streamBufferBytes: 1_073_741_824 }, { roomLog })
    const room = newRoom()
    await say(own, room, 25)
    const socket = await openDeaf(own, room, '?after=0:0')
    await until('the first pages', () => readBytes > 0)
    socket.on('data', (chunk) => (received += chunk.length))
    socket.resume()
    await until('all of it', () => received > 2_500 * 16_000)
    // What the kernel takes for a connection, and a page; not the 40 MB that were missed.
    expect(furthestAhead).toBeLessThan(20_000_000)
    socket.destroy()
  })
})
