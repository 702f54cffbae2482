import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import {
  GatewayToPresence,
  REPORT_PART_MEMBERS,
  REPORT_PATH,
  RoomId,
  type PresenceToGateway,
  type ReportedMember,
} from '@roomcast/protocol'
import { WebSocketServer, type WebSocket } from 'ws'
import { infoOf, Scene } from '../../presence/test/replicas.ts'
import { until } from '../../presence/test/until.ts'

const lobby = RoomId.parse('lobby')

function memberOf(sid: string, more: Partial<ReportedMember> = {}): ReportedMember {
  return { sid, room: lobby, name: sid, since: Date.now(), generation: 1, ...more }
}

/** The far end of the report protocol, which says only what the test says, and shows every frame that came. */
class Peer implements AsyncDisposable {
  readonly frames: GatewayToPresence[] = []
  readonly members = new Map<string, ReportedMember>()
  connections = 0
  readonly #server: WebSocketServer

  static async open(
    replica: string,
    options: { autoPong?: boolean } = {},
  ): Promise<Peer & { url: string }> {
    const server = new WebSocketServer({ port: 0, host: '0.0.0.0', path: REPORT_PATH, ...options })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return Object.assign(new Peer(server, replica), { url: `http://127.0.0.1:${port}` })
  }

  constructor(server: WebSocketServer, replica: string) {
    this.#server = server
    server.on('connection', (ws) => {
      this.connections++
      ws.on('message', (data: Buffer) =>
        this.#hear(GatewayToPresence.parse(JSON.parse(data.toString()))),
      )
      this.#sendTo(ws, { t: 'welcome', v: 1, replica })
    })
  }

  send(frame: PresenceToGateway): void {
    for (const ws of this.#server.clients) this.#sendTo(ws, frame)
  }

  sendText(text: string): void {
    for (const ws of this.#server.clients) ws.send(text)
  }

  pause(): void {
    for (const ws of this.#server.clients) ws.pause()
  }

  resume(): void {
    for (const ws of this.#server.clients) ws.resume()
  }

  of<T extends GatewayToPresence['t']>(t: T): Extract<GatewayToPresence, { t: T }>[] {
    return this.frames.filter((frame) => frame.t === t) as Extract<GatewayToPresence, { t: T }>[]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const ws of this.#server.clients) ws.terminate()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #sendTo(ws: WebSocket, frame: PresenceToGateway): void {
    ws.send(JSON.stringify(frame))
  }

  #hear(frame: GatewayToPresence): void {
    this.frames.push(frame)
    if (frame.t === 'state') {
      if (frame.part === 0) this.members.clear()
      for (const member of frame.members) this.members.set(member.sid, member)
    }
    if (frame.t === 'diff') {
      for (const sid of frame.left) this.members.delete(sid)
      for (const member of frame.joined) this.members.set(member.sid, member)
    }
  }
}

describe('what a gateway reports', () => {
  it('is hello, the state, then numbered changes, and a beat when there are none', async () => {
    await using peer = await Peer.open('p')
    await using scene = new Scene()
    const a = scene.gateway('a', [peer.url])
    a.joined(memberOf('alice'))
    await until('the state', () => peer.of('state').length === 1)
    a.joined(memberOf('bob'))
    a.left('alice')
    await until('the diff', () => peer.of('diff').length === 1)
    a.connections({ websocket: 3, polling: 0 })
    await until('a second diff', () => peer.of('diff').length === 2)
    await until('a beat', () => peer.of('beat').length === 1)
    await a.close()
    const n = peer.of('state')[0]?.n ?? -1
    expect(peer.frames).toMatchObject([
      { t: 'hello', instance: 'a' },
      { t: 'state', part: 0, last: true, members: [{ sid: 'alice' }] },
      { t: 'diff', n: n + 1, joined: [{ sid: 'bob' }], left: ['alice'] },
      { t: 'diff', n: n + 2, joined: [], left: [], connections: { websocket: 3, polling: 0 } },
      { t: 'beat', n: n + 2 },
      { t: 'bye' },
    ])
  })

  it('leaves out who came and went between two reports', async () => {
    await using peer = await Peer.open('p')
    await using scene = new Scene()
    const a = scene.gateway('a', [peer.url])
    await until('the state', () => peer.of('state').length === 1)
    a.joined(memberOf('ghost'))
    a.left('ghost')
    a.joined(memberOf('alice'))
    a.left('nobody')
    await until('the diff', () => peer.of('diff').length === 1)
    expect(peer.of('diff')).toMatchObject([{ joined: [{ sid: 'alice' }], left: [] }])
    // Known there already: going and coming back is one change, in its newest form.
    a.left('alice')
    a.joined(memberOf('alice', { generation: 2 }))
    await until('the next', () => peer.of('diff').length === 2)
    expect(peer.of('diff')[1]).toMatchObject({
      joined: [{ sid: 'alice', generation: 2 }],
      left: [],
    })
  })

  it('is the state again when it is asked for', async () => {
    await using peer = await Peer.open('p')
    await using scene = new Scene()
    const a = scene.gateway('a', [peer.url])
    a.joined(memberOf('alice'))
    await until('the state', () => peer.of('state').length === 1)
    peer.send({ t: 'resend' })
    await until('the state again', () => peer.of('state').length === 2)
    expect(peer.of('state')[1]).toMatchObject({ members: [{ sid: 'alice' }] })
  })

  it('waits for a replica that does not read, in bounded memory, and goes to the others', async () => {
    await using slow = await Peer.open('slow')
    await using quick = await Peer.open('quick')
    // In real time: one that is silent for five beats is taken for dead.
    await using scene = new Scene({ speed: 1 })
    const a = scene.gateway('a', [slow.url, quick.url])
    await until('both states', () => [slow, quick].every((peer) => peer.of('state').length === 1))
    slow.pause()
    const batch = 5 * REPORT_PART_MEMBERS
    const batches = 6
    for (let at = 0; at < batches * batch; at += batch) {
      for (let i = at; i < at + batch; i++) {
        a.joined(memberOf(`${i}`.padEnd(120, '.'), { name: 'n'.repeat(250) }))
      }
      await until('the quick one has it', () => quick.members.size === at + batch)
    }
    for (let i = 0; i < batch; i++) a.left(`${i}`.padEnd(120, '.'))
    await until('the quick one forgot', () => quick.members.size === (batches - 1) * batch)
    slow.resume()
    await until('the slow one has it too', () => slow.members.size === quick.members.size)
    const states = slow.of('state').filter(({ part }) => part === 0)
    expect(states.length).toBeGreaterThan(1)
    expect(slow.of('diff').length).toBeLessThan(quick.of('diff').length)
  })
})

describe('a gateway without presence', () => {
  it('goes on, and reports everything when there is one', async () => {
    await using scene = new Scene()
    const first = await scene.presence()
    const { port, url } = first
    await first.close()
    const a = scene.gateway('a', [url, 'http://no-such-host.invalid'])
    a.joined(memberOf('alice'))
    a.connections({ websocket: 1, polling: 0 })
    expect(a.isKnown()).toBe(false)
    await scene.presence({ port })
    await until('it is known', () => a.isKnown())
    await until('it hears a count', () => a.counts.get(lobby) === 1)
  })

  it('keeps the list of gateways that it knew, and knows to be known', async () => {
    await using scene = new Scene()
    const p = await scene.presence()
    const [a, b] = [scene.gateway('a', [p.url]), scene.gateway('b', [p.url])]
    await until('both know both', () => [a, b].every((g) => g.instances().join() === 'a,b'))
    await p.close()
    await b.close()
    expect(a.instances()).toEqual(['a', 'b'])
    expect(a.isKnown()).toBe(true)
    // Back, it lists a alone: b is dropped once it had the time to come back as well.
    await scene.presence({ port: p.port })
    await until('b is gone', () => a.instances().join() === 'a', 15_000)
  })

  it('is refused for a wrong token and goes on', async () => {
    await using scene = new Scene()
    const { url } = await scene.presence({ internalTokens: ['a-token-of-the-cluster'] })
    await using peer = await Peer.open('p')
    const a = scene.gateway('a', [url, peer.url], { internalTokens: ['another-token-here'] })
    await until('it reports elsewhere', () => peer.of('state').length === 1)
    expect(a.isKnown()).toBe(false)
  })
})

describe('the connections of a reporter', () => {
  it('to one replica by two addresses are one', async () => {
    await using peer = await Peer.open('p')
    await using scene = new Scene()
    const a = scene.gateway('a', [peer.url, peer.url.replace('127.0.0.1', '127.0.0.2')])
    await until('both are tried', () => peer.connections === 2)
    a.joined(memberOf('alice'))
    await until('it reports', () => peer.members.has('alice'))
    await until('it beats', () => peer.of('beat').length === 2)
    expect(peer.of('hello')).toHaveLength(1)
    expect(peer.connections).toBe(2)
  })

  it('begin again after a frame that is not of the protocol', async () => {
    await using peer = await Peer.open('p')
    await using scene = new Scene()
    scene.gateway('a', [peer.url])
    await until('it reports', () => peer.of('state').length === 1)
    peer.sendText('{"t":"gossip"}')
    await until('it reports again', () => peer.of('hello').length === 2)
  })

  it('begin again when the replica does not answer pings', async () => {
    await using peer = await Peer.open('p', { autoPong: false })
    await using scene = new Scene()
    scene.gateway('a', [peer.url])
    await until('it reports again', () => peer.of('hello').length === 2, 20_000)
  })

  it('tell nothing of a room that this gateway has left', async () => {
    await using peer = await Peer.open('p')
    await using scene = new Scene()
    const a = scene.gateway('a', [peer.url])
    a.joined(memberOf('alice'))
    await until('it reports', () => peer.of('state').length === 1)
    peer.send({ t: 'gateways', gateways: [infoOf('b')] })
    peer.send({ t: 'counts', counts: [[RoomId.parse('elsewhere'), 7]] })
    peer.send({ t: 'counts', counts: [[lobby, 2]] })
    await until('the count', () => a.counts.get(lobby) === 2)
    peer.send({ t: 'counts', counts: [[lobby, 2]] })
    peer.send({ t: 'gateways', gateways: [infoOf('a')] })
    await until('it is known', () => a.isKnown())
    expect(a.heard).toEqual([[lobby, 2]])
  })
})
