import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { PresenceChange, PresenceView, RoomId, type HistoryView } from '@roomcast/protocol'
import { encodeEvent, EventStream, parseKeys, VERSION } from '@roomcast/runtime'
import { readEvents } from './event-reader.ts'
import { get, Scene } from './replicas.ts'
import { until } from './until.ts'

const key = 'a-key-of-the-team'
const authorization = { authorization: `Bearer ${key}` }
const memberOf = (sid: string, room = 'lobby') => ({
  sid,
  room: RoomId.parse(room),
  name: sid,
  since: 5,
  generation: 1,
})

describe('the event stream of presence', () => {
  it('tells the whole state first, and then what changes', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const a = scene.gateway('a', [url])
    a.joined(memberOf('alice'))
    await until('alice', async () => (await get(`${url}/v1/stats`)).body['members'] === 1)

    await using reader = await readEvents(url)
    expect(reader.headers.get('content-type')).toBe('text/event-stream')
    await until('the state', () => reader.of('state').length === 1)
    const [state] = reader.of('state').map((view) => PresenceView.parse(view))
    expect(state).toMatchObject({
      replica: { name: 'presence-test', version: VERSION },
      stats: { members: 1, rooms: 1, gateways: 1, complete: true },
      gateways: [{ instance: 'a', state: 'ready', members: 1 }],
      rooms: { rooms: [{ room: 'lobby', online: 1 }], total: 1 },
    })

    const changes = () => reader.of('change').map((change) => PresenceChange.parse(change))
    a.connections({ websocket: 2, polling: 1 })
    a.joined(memberOf('bob'))
    await until('bob', () => changes().at(-1)?.stats?.members === 2)
    expect(changes().at(-1)).toMatchObject({
      gateways: {
        changed: [{ instance: 'a', connections: { websocket: 2, polling: 1 } }],
        gone: [],
      },
      rooms: { rooms: [{ room: 'lobby', online: 2 }] },
    })

    const b = scene.gateway('b', [url])
    await until('b', () => changes().at(-1)?.gateways?.changed[0]?.instance === 'b')
    await b.close()
    await until('that b is gone', () => changes().at(-1)?.gateways?.gone[0] === 'b')
    expect(changes().at(-1)).not.toHaveProperty('rooms')
  })

  it('begins with the same look for everybody, so that nobody misses a change', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const a = scene.gateway('a', [url])
    await using first = await readEvents(url)
    a.joined(memberOf('alice'))
    await until('alice', async () => (await get(`${url}/v1/stats`)).body['members'] === 1)
    await using second = await readEvents(url)
    for (const reader of [first, second]) {
      await until('alice is told', () =>
        [...reader.of<PresenceView>('state'), ...reader.of<PresenceChange>('change')].some(
          ({ stats }) => stats?.members === 1,
        ),
      )
    }
  })

  it('says that it lives while nothing changes', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    await until(
      'the replica to be complete',
      async () => (await get(`${url}/v1/stats`)).body['complete'] === true,
    )
    await using reader = await readEvents(url)
    await until('a comment', () => reader.comments.includes('alive'))
    expect(reader.of('change')).toEqual([])
  })

  it('takes a key, as history does, when there are keys', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence({ apiKeys: parseKeys(key) })
    for (const path of ['/v1/events', '/v1/history']) {
      expect(await get(url + path)).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
    }
    expect((await get(`${url}/v1/history`, authorization)).status).toBe(200)
    await using reader = await readEvents(url, authorization)
    await until('the state', () => reader.of('state').length === 1)
    for (const path of ['/', '/v1/stats', '/v1/gateways', '/v1/rooms', '/v1/scale']) {
      expect([path, (await fetch(url + path)).status]).toEqual([path, 200])
    }
  })

  it('serves so many and no more, and another when one has left', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence({ maxStreams: 2 })
    await using one = await readEvents(url)
    const two = await readEvents(url)
    await until('both', () => one.of('state').length + two.of('state').length === 2)
    const refused = await get(`${url}/v1/events`)
    expect(refused).toMatchObject({ status: 503, body: { code: 'busy', retryAfterMs: 1_000 } })
    await two[Symbol.asyncDispose]()
    await until('a place', async () => {
      await using three = await readEvents(url)
      return three.status === 200
    })
  })

  it('is ended in order when the replica ends, which takes no time', async () => {
    await using scene = new Scene()
    const presence = await scene.presence()
    await using reader = await readEvents(presence.url)
    await until('the state', () => reader.of('state').length === 1)
    const start = performance.now()
    await presence.close()
    expect(performance.now() - start).toBeLessThan(5_000)
    await until('the end', () => reader.hasEnded())
    expect(reader.comments.at(-1)).toBe('this replica ends')
  })

  it('is ended for a client that does not read', async () => {
    let slow = 0
    const server = createServer((_req, res) => {
      const stream = new EventStream(res, { bufferBytes: 100_000, onTooSlow: () => slow++ })
      stream.open()
      const event = encodeEvent({ event: 'change', data: 'x'.repeat(50_000) })
      // More than all buffers between the two hold.
      for (let i = 0; i < 1_000 && !stream.over.aborted; i++) stream.send(event)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    client.pause()
    client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    await until('it is slow', () => slow === 1)
    client.destroy()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    expect(slow).toBe(1)
  })
})

describe('the history of presence', () => {
  it('is recorded once a second, once the replica knows enough', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence({ warmupMs: 8_000 })
    const history = async (range: string) =>
      (await get(`${url}/v1/history?range=${range}`)).body as unknown as HistoryView
    expect((await history('5m')).connections).toEqual([])
    const a = scene.gateway('a', [url])
    a.connections({ websocket: 3, polling: 1 })
    a.joined(memberOf('alice'))
    await until('a point', async () => (await history('2h')).connections.at(-1) === 4)
    const { members, rooms, gateways } = await history('24h')
    expect([members, rooms, gateways]).toEqual([[1], [1], [1]])
  })

  it('has no other ranges than those that it names', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const answer = await get(`${url}/v1/history?range=7d`)
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'range' }] } })
    expect((await get(`${url}/v1/history`)).body['range']).toBe('2h')
  })
})

describe('the state of a gateway', () => {
  it('is draining when it says so, and silent after two beats without a word', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence({ leaseMs: 60_000 })
    const states = async (): Promise<unknown[]> =>
      ((await get(`${url}/v1/gateways`)).body['gateways'] as { state: string }[]).map(
        ({ state }) => state,
      )
    const a = scene.gateway('a', [url])
    await until('a is ready', async () => (await states())[0] === 'ready')
    a.setDraining(true)
    await until('a is draining', async () => (await states())[0] === 'draining')

    const raw = new WebSocket(`${url.replace('http', 'ws')}/internal/report`)
    await once(raw, 'open')
    const info = { instance: 'z', pod: 'z', address: '127.0.0.1:1', version: '0', startedAt: 0 }
    raw.send(JSON.stringify({ t: 'hello', v: 1, ...info }))
    await until('z is there', async () => (await states()).length === 2)
    await until('z is silent', async () => (await states())[1] === 'silent')
    expect((await states())[0]).toBe('draining')
    raw.close()
  })
})
