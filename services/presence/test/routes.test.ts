import { describe, expect, it } from '@jest/globals'
import { Problem, RoomId, type ReportedMember } from '@roomcast/protocol'
import { parseKeys, type KeyEntry } from '@roomcast/runtime'
import { get, Scene } from './replicas.ts'
import { until } from './until.ts'

function memberOf(sid: string, room: string, name = sid): ReportedMember {
  return { sid, room: RoomId.parse(room), name, since: 5, generation: 1 }
}

const longest = '\u{1F600}'.repeat(128)

/** A replica with one gateway and these members, by `[sid, room, name]`. */
async function withMembers(
  scene: Scene,
  members: readonly (readonly [string, string, string?])[],
  apiKeys: readonly KeyEntry[] = [],
): Promise<string> {
  const { url } = await scene.presence({ apiKeys })
  const gateway = scene.gateway('g', [url])
  gateway.connections({ websocket: 4, polling: 1 })
  for (const [sid, room, name] of members) gateway.joined(memberOf(sid, room, name))
  await until(
    'all are counted',
    async () => (await get(`${url}/v1/stats`)).body['members'] === members.length,
  )
  return url
}

describe('the HTTP API of presence', () => {
  it('tells totals, gateways and what to scale on', async () => {
    await using scene = new Scene()
    const url = await withMembers(scene, [
      ['s1', 'lobby', 'alice'],
      ['s2', 'lobby', 'alice'],
      ['s3', 'attic'],
    ])
    expect((await get(`${url}/v1/stats`)).body).toEqual({
      connections: 5,
      transports: { websocket: 4, polling: 1 },
      members: 3,
      rooms: 2,
      gateways: 1,
      complete: true,
    })
    expect((await get(`${url}/v1/gateways`)).body).toEqual({
      gateways: [
        {
          instance: 'g',
          pod: 'pod-g',
          address: '127.0.0.1:1',
          version: '0',
          startedAt: 0,
          state: 'ready',
          connections: { websocket: 4, polling: 1 },
          members: 3,
          rooms: 2,
          ageMs: expect.any(Number),
        },
      ],
    })
    expect((await get(`${url}/v1/scale`)).body).toEqual({
      connections: 5,
      gateways: 1,
      complete: true,
    })
  })

  it('lists the busiest rooms', async () => {
    await using scene = new Scene()
    const url = await withMembers(scene, [
      ['s1', 'lobby', 'alice'],
      ['s2', 'lobby', 'alice'],
      ['s3', 'attic'],
      ['s4', 'cellar'],
    ])
    expect((await get(`${url}/v1/rooms?limit=2`)).body).toEqual({
      rooms: [
        { room: 'lobby', online: 2, users: 1, gateways: 1 },
        { room: 'attic', online: 1, users: 1, gateways: 1 },
      ],
      total: 3,
    })
    expect((await get(`${url}/v1/rooms?search=ATT`)).body).toMatchObject({
      rooms: [{ room: 'attic' }],
      total: 1,
    })
  })

  it.each(['lobby', 'a/b', '100%', 'a b?c#d', '..a', 'é'.normalize('NFD'), longest])(
    'finds a room by its id in the path: %j',
    async (room) => {
      await using scene = new Scene()
      const url = await withMembers(scene, [['s1', room]])
      const path = `${url}/v1/rooms/${encodeURIComponent(room)}`
      expect((await get(path)).body).toEqual({
        room: room.normalize('NFC'),
        online: 1,
        users: 1,
        gateways: 1,
      })
      expect((await get(`${path}/members`)).body).toMatchObject({ members: [{ name: 's1' }] })
    },
  )

  it('answers for a room that nobody is in', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    expect(await get(`${url}/v1/rooms/nowhere`)).toMatchObject({
      status: 200,
      body: { room: 'nowhere', online: 0, users: 0, gateways: 0 },
    })
    expect((await get(`${url}/v1/rooms/nowhere/members`)).body).toEqual({
      room: 'nowhere',
      online: 0,
      users: 0,
      members: [],
    })
  })

  it('lists members up to a limit, to those who have a key', async () => {
    await using scene = new Scene()
    const key = 'a-key-of-the-team'
    const url = await withMembers(
      scene,
      [
        ['s2', 'lobby'],
        ['s1', 'lobby', 'alice'],
        ['s3', 'lobby', 'alice'],
      ],
      parseKeys(key),
    )
    const path = `${url}/v1/rooms/lobby/members`
    const refused = await get(path)
    expect(refused).toMatchObject({ status: 401, body: { code: 'unauthorized', status: 401 } })
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    expect((await get(path, { authorization: 'Bearer another-key-of-ours' })).status).toBe(401)

    const headers = { authorization: `Bearer ${key}` }
    expect((await get(`${path}?limit=2`, headers)).body).toEqual({
      room: 'lobby',
      online: 3,
      users: 2,
      members: [
        { name: 'alice', since: 5, gateway: 'pod-g', connections: 2 },
        { name: 's2', since: 5, gateway: 'pod-g', connections: 1 },
      ],
    })
    const counts = { room: 'lobby', online: 3, users: 2 }
    expect((await get(`${path}?limit=1`, headers)).body).toEqual(counts)
    expect((await get(`${url}/v1/rooms/lobby`)).status).toBe(200)
  })

  it.each([
    ['/v1/nothing', 404, 'not_found'],
    ['/v1/rooms?limit=0', 400, 'invalid'],
    ['/v1/rooms?limit=many', 400, 'invalid'],
    ['/v1/rooms/%00', 400, 'invalid'],
    [`/v1/rooms/${'x'.repeat(129)}`, 400, 'invalid'],
    ['/v1/rooms/%zz', 400, 'invalid'],
  ])('answers %s with a problem', async (path, status, code) => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const answer = await get(url + path)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(Problem.parse(answer.body)).toMatchObject({ status, code, type: 'about:blank' })
    expect(answer.status).toBe(status)
  })

  it('names each fault of a request', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const { body } = await get(`${url}/v1/rooms?limit=5000`)
    expect(body['errors']).toMatchObject([{ path: 'limit' }])
  })

  it('describes itself as OpenAPI 3.1', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const { body } = await get(`${url}/openapi.json`)
    expect(body['openapi']).toBe('3.1.0')
    const paths = body['paths'] as Record<string, { get: { responses: Record<string, unknown> } }>
    expect(Object.keys(paths).sort()).toEqual([
      '/v1/events',
      '/v1/gateways',
      '/v1/history',
      '/v1/rooms',
      '/v1/rooms/{room}',
      '/v1/rooms/{room}/members',
      '/v1/scale',
      '/v1/stats',
    ])
    const { responses } = paths['/v1/rooms/{room}/members']?.get ?? { responses: {} }
    expect(Object.keys(responses)).toEqual(['200', '400', '401', '403'])
    expect(JSON.stringify(responses['401'])).toContain('application/problem+json')
  })
})

describe('a replica that has just started', () => {
  it('is not ready and gives no number to scale on, until it has warmed up', async () => {
    await using scene = new Scene()
    const { url, metricsPort } = await scene.presence({ warmupMs: 4_000 })
    const ready = `http://127.0.0.1:${metricsPort}/readyz`
    const young = await fetch(ready)
    expect([young.status, await young.text()]).toEqual([
      503,
      'the gateways had no time to report yet\n',
    ])
    const scale = await get(`${url}/v1/scale`)
    expect(scale).toMatchObject({ status: 503, body: { code: 'unavailable' } })
    expect(scale.headers.get('retry-after')).toBe('1')
    expect((await get(`${url}/v1/stats`)).body['complete']).toBe(false)

    await until('it is ready', async () => (await fetch(ready)).status === 200)
    expect((await get(`${url}/v1/scale`)).body).toEqual({
      connections: 0,
      gateways: 0,
      complete: true,
    })
  })
})

describe('the metrics', () => {
  it('show connections by pod, and none of a pod that is gone', async () => {
    await using scene = new Scene()
    const { url, metricsPort } = await scene.presence()
    const [a, b] = [scene.gateway('a', [url]), scene.gateway('b', [url])]
    a.connections({ websocket: 2, polling: 1 })
    b.connections({ websocket: 4, polling: 0 })
    b.joined(memberOf('s1', 'lobby'))
    /** The value of the series with this name and gateway. */
    const value = async (name: string, gateway = ''): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      const line = text
        .split('\n')
        .find((line) => line.startsWith(`roomcast_presence_${name}`) && line.includes(gateway))
      return Number(line?.split(' ').at(-1) ?? 0)
    }
    await until('a is shown', async () => (await value('connections', 'pod-a')) === 3)
    await until('b is shown', async () => (await value('connections', 'pod-b')) === 4)
    expect(await value('reporting_gateways')).toBe(2)
    expect(await value('members')).toBe(1)
    expect(await value('rooms')).toBe(1)
    await b.close()
    await until('b has none', async () => (await value('connections', 'pod-b')) === 0)
    expect(await value('connections', 'pod-a')).toBe(3)
  })
})
