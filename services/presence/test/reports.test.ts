import { once } from 'node:events'
import { describe, expect, it } from '@jest/globals'
import {
  COUNT_INTERVAL_MS,
  REPORT_PART_MEMBERS,
  REPORT_PATH,
  RoomId,
  type GatewayToPresence,
  type PresenceToGateway,
  type ReportedMember,
} from '@roomcast/protocol'
import { WebSocket } from 'ws'
import { get, infoOf, Scene } from './replicas.ts'
import { until } from './until.ts'

const lobby = RoomId.parse('lobby')
const attic = RoomId.parse('attic')

function memberOf(sid: string, more: Partial<ReportedMember> = {}): ReportedMember {
  return { sid, room: lobby, name: sid, since: Date.now(), generation: 1, ...more }
}

/** A gateway that says only what the test says. */
async function rawGateway(
  url: string,
  headers: Record<string, string> = {},
): Promise<{
  ws: WebSocket
  say: (frame: GatewayToPresence) => void
  heard: PresenceToGateway[]
}> {
  const ws = new WebSocket(url.replace('http', 'ws') + REPORT_PATH, { headers })
  const heard: PresenceToGateway[] = []
  ws.on('message', (data: Buffer) => {
    heard.push(JSON.parse(data.toString()) as PresenceToGateway)
  })
  await once(ws, 'open')
  return { ws, heard, say: (frame) => ws.send(JSON.stringify(frame)) }
}

async function membersAt(url: string, room = lobby): Promise<number> {
  return Number((await get(`${url}/v1/rooms/${room}`)).body['online'])
}

describe('gateways and two replicas', () => {
  it('every replica knows every gateway, and counts reach the gateways that occupy the room', async () => {
    await using scene = new Scene()
    const [p1, p2] = [await scene.presence(), await scene.presence()]
    const urls = [p1.url, p2.url]
    const [a, b] = [scene.gateway('a', urls), scene.gateway('b', urls)]
    a.joined(memberOf('alice'))
    b.joined(memberOf('bob'))
    b.joined(memberOf('carol', { room: attic }))
    a.connections({ websocket: 2, polling: 1 })
    await until('both hear the count', () => a.counts.get(lobby) === 2 && b.counts.get(lobby) === 2)
    await until('b hears of the attic', () => b.counts.get(attic) === 1)
    expect(a.counts.has(attic)).toBe(false)
    await until('both know both', () => [a, b].every((g) => g.instances().join() === 'a,b'))
    expect([a.isKnown(), b.isKnown()]).toEqual([true, true])
    for (const url of urls) {
      await until('totals', async () => (await get(`${url}/v1/stats`)).body['connections'] === 3)
      expect((await get(`${url}/v1/stats`)).body).toMatchObject({
        members: 3,
        rooms: 2,
        gateways: 2,
        transports: { websocket: 2, polling: 1 },
      })
    }

    a.left('alice')
    await until('b hears that alice left', () => b.counts.get(lobby) === 1)
    a.setDraining(true)
    await until('a is shown as draining', async () => {
      const { gateways } = (await get(`${p1.url}/v1/gateways`)).body as {
        gateways: { state: string }[]
      }
      return gateways.map(({ state }) => state).join() === 'draining,ready'
    })
  })

  it('a gateway that ends in order is forgotten at once', async () => {
    await using scene = new Scene()
    const p = await scene.presence({ leaseMs: 60_000 })
    const [a, b] = [scene.gateway('a', [p.url]), scene.gateway('b', [p.url])]
    a.joined(memberOf('alice'))
    b.joined(memberOf('bob'))
    await until('b counts two', () => b.counts.get(lobby) === 2)
    await a.close()
    await a.close()
    await until('b counts one', () => b.counts.get(lobby) === 1)
    await until('b knows itself alone', () => b.instances().join() === 'b')
  })

  it('a gateway that dies is forgotten at once by its socket, a silent one by its lease, and its connection in the end', async () => {
    await using scene = new Scene()
    const p = await scene.presence({ leaseMs: 3_200 })
    const b = scene.gateway('b', [p.url])
    b.joined(memberOf('bob'))
    const state = (sid: string): GatewayToPresence => ({
      t: 'state',
      n: 0,
      part: 0,
      last: true,
      members: [memberOf(sid)],
      connections: { websocket: 1, polling: 0 },
      draining: false,
    })
    const [killed, silent] = [await rawGateway(p.url), await rawGateway(p.url)]
    killed.say({ t: 'hello', v: 1, ...infoOf('killed') })
    killed.say(state('kim'))
    silent.say({ t: 'hello', v: 1, ...infoOf('silent') })
    silent.say(state('sam'))
    await until('three are counted', () => b.counts.get(lobby) === 3)
    killed.ws.terminate()
    await until('the dead is gone', () => b.counts.get(lobby) === 2)
    await until('the silent is gone', () => b.counts.get(lobby) === 1)
    expect(silent.heard.filter(({ t }) => t === 'resend')).toEqual([])

    silent.say({ t: 'beat', n: 0 })
    await until('it is asked', () => silent.heard.some(({ t }) => t === 'resend'))
    silent.say(state('sam'))
    await until('it counts again', () => b.counts.get(lobby) === 2)
    // Whether anybody is still there, nobody knows.
    await until('its connection is ended', () => silent.ws.readyState === WebSocket.CLOSED)
  })

  it('a replica that restarts hears everything again, and its youth is not seen in the counts', async () => {
    await using scene = new Scene()
    const p1 = await scene.presence()
    const [a, b] = [scene.gateway('a', [p1.url]), scene.gateway('b', [p1.url])]
    a.joined(memberOf('alice'))
    b.joined(memberOf('bob'))
    await until('both count two', () => a.counts.get(lobby) === 2 && b.counts.get(lobby) === 2)
    await until('both know both', () => [a, b].every((g) => g.instances().join() === 'a,b'))
    const heardBefore = [a.heard.length, b.heard.length]
    const listsBefore = [a.lists.length, b.lists.length]

    await p1.close()
    a.joined(memberOf('anna'))
    const again = await scene.presence({ port: p1.port, warmupMs: 4_000 })
    expect((await get(`${again.url}/v1/scale`)).status).toBe(503)
    await until('both count three', () => a.counts.get(lobby) === 3 && b.counts.get(lobby) === 3)
    expect(a.heard.slice(heardBefore[0])).toEqual([[lobby, 3]])
    expect(b.heard.slice(heardBefore[1])).toEqual([[lobby, 3]])
    expect([a.lists.length, b.lists.length]).toEqual(listsBefore)
    expect([a.isKnown(), b.isKnown()]).toEqual([true, true])
  })

  it('a gateway listens to one replica, and to the other when that goes', async () => {
    await using scene = new Scene()
    const [p1, p2] = [await scene.presence(), await scene.presence()]
    // One that reports to one replica alone shows which of the two is listened to.
    const first = scene.gateway('b', [p1.url])
    first.joined(memberOf('bob'))
    first.joined(memberOf('bill'))
    const second = scene.gateway('c', [p2.url])
    second.joined(memberOf('cleo'))
    await until('the first counts two', () => first.counts.get(lobby) === 2)
    await until('the second counts one', () => second.counts.get(lobby) === 1)
    const both = scene.gateway('a', [p1.url, p2.url])
    both.joined(memberOf('alice'))
    // Who was told of the room before has to wait: by then each replica has told the newcomer.
    await until('the first counts three', () => first.counts.get(lobby) === 3)
    await until('the second counts two', () => second.counts.get(lobby) === 2)
    const count = await until('a count of either', () => both.counts.get(lobby))
    const other = count === 3 ? 2 : 3
    await (count === 3 ? p1 : p2).close()
    await until('the other count', () => both.counts.get(lobby) === other)
    const counts = both.heard.map(([, online]) => online)
    expect(counts).toEqual([count, other])
  })

  it('a state of many parts arrives whole while it changes', async () => {
    await using scene = new Scene()
    const size = 5 * REPORT_PART_MEMBERS
    const p = await scene.presence()
    const b = scene.gateway('b', [p.url])
    for (let i = 0; i < size; i++) b.joined(memberOf(`s${i}`))
    await until(
      'the state is on its way',
      async () => (await get(`${p.url}/v1/stats`)).body['gateways'] === 1,
    )
    for (let i = 0; i < size; i += 2) b.left(`s${i}`)
    for (let i = 0; i < 10; i++) b.joined(memberOf(`late${i}`))
    for (let i = 0; i < 10; i += 2) b.left(`late${i}`)
    await until('what is left', async () => (await membersAt(p.url)) === size / 2 + 5)
    await until('the count', () => b.counts.get(lobby) === size / 2 + 5)
  })

  it('counts come at most once a second a room, and the newest comes in the end', async () => {
    await using scene = new Scene()
    const p = await scene.presence()
    const raw = await rawGateway(p.url)
    const start = scene.now()
    raw.say({ t: 'hello', v: 1, ...infoOf('raw') })
    const totals = { connections: { websocket: 1, polling: 0 }, draining: false }
    raw.say({ t: 'state', n: 0, part: 0, last: true, members: [memberOf('rita')], ...totals })
    const counts = (): number[] =>
      raw.heard.flatMap((frame) => (frame.t === 'counts' ? frame.counts.map(([, n]) => n) : []))
    for (let n = 1; n <= 200; n++) {
      raw.say({ t: 'diff', n, joined: [memberOf(`s${n}`)], left: [], ...totals })
      await until('it is counted', async () => (await membersAt(p.url)) === n + 1)
    }
    await until('the newest count', () => counts().at(-1) === 201)
    const intervals = (scene.now() - start) / COUNT_INTERVAL_MS
    expect(counts().length).toBeLessThanOrEqual(Math.floor(intervals) + 1)
    expect(counts().length).toBeGreaterThan(1)
    raw.ws.terminate()
  })
})

describe('the report endpoint', () => {
  it.each([
    ['text that is no JSON', 'hello'],
    ['an unknown frame', '{"t":"shout"}'],
    ['a report before hello', '{"t":"beat","n":0}'],
    [
      'a room id that is none',
      JSON.stringify({ t: 'diff', n: 1, joined: [{ sid: 's', room: '..' }] }),
    ],
  ])('ends the connection with 1008 on %s', async (_what, text) => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const { ws } = await rawGateway(url)
    ws.send(text)
    const [code] = (await once(ws, 'close')) as [number]
    expect(code).toBe(1008)
  })

  it('ends the connection with 1008 on a binary frame', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence()
    const { ws } = await rawGateway(url)
    ws.send(Buffer.from('{"t":"bye"}'))
    expect(((await once(ws, 'close')) as [number])[0]).toBe(1008)
  })

  it('is for those who have the token', async () => {
    await using scene = new Scene()
    const internalTokens = ['a-token-of-the-cluster']
    const { url } = await scene.presence({ internalTokens })
    await expect(rawGateway(url)).rejects.toThrow('401')
    await expect(rawGateway(url, { 'x-roomcast-token': 'another-token-here' })).rejects.toThrow(
      '401',
    )
    const a = scene.gateway('a', [url], { internalTokens })
    await until('a is known', () => a.isKnown())
  })

  it('is the only path that upgrades', async () => {
    await using scene = new Scene()
    const { port } = await scene.presence()
    const ws = new WebSocket(`ws://127.0.0.1:${port}/internal/else`)
    const [error] = (await once(ws, 'error')) as [Error]
    expect(error.message).toContain('404')
  })
})
