import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Server } from 'socket.io'
import { io as connect, type Socket } from 'socket.io-client'
import { terminate, unsentBytes, wasClosedByClient } from '../src/engine/connection.ts'
import { releaseHandshake, releaseTransport } from '../src/engine/slim.ts'
import { sharePackets, writePacket } from '../src/engine/packets.ts'
import { until } from '../../../test/support/processes.ts'
import type { ChatServer, ChatSocket } from '../src/sockets.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

let io: ChatServer
let url: string
beforeAll(async () => {
  const http = createServer()
  io = new Server(http, { perMessageDeflate: false })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
})
afterAll(async () => {
  await io.close()
})

async function pair(
  transports: readonly string[],
): Promise<{ server: ChatSocket; client: Socket }> {
  const connected = once(io, 'connection') as Promise<[ChatSocket]>
  const client = connect(url, { transports: [...transports], forceNew: true, reconnection: false })
  const [server] = await connected
  return { server, client }
}

// What this gateway uses of Engine.IO and ws beyond their documented interfaces: when an update changes it, these fail.
describe.each(['websocket', 'polling'])('over %s', (transport) => {
  it('a shared packet arrives as an event, in order with what Socket.IO sends itself', async () => {
    const { server, client } = await pair([transport])
    const got: unknown[] = []
    client.on('message', (...args: unknown[]) => got.push(args))
    const end = new Promise((resolve) => {
      client.once('error', resolve)
    })
    const joined = { event: 'count', room: 'r', data: { online: 1 } } as const
    for (let i = 0; i < 50; i++) {
      server.emit('message', joined, `${i}`)
      writePacket(server, sharePackets('/', [`["message",{"text":"漢字 ${i}"},"e:${i}"]`]).at(0))
    }
    ;(server as unknown as { emit(event: string): void }).emit('error')
    await end
    expect(got).toEqual(
      Array.from({ length: 50 }, (_, i) => [
        [joined, `${i}`],
        [{ text: `漢字 ${i}` }, `e:${i}`],
      ]).flat(),
    )
    client.disconnect()
  })

  it('unsent bytes of a reader that stands still grow, and terminating frees its connection', async () => {
    const { server, client } = await pair([transport])
    const ended = once(server, 'disconnect')
    const packet = sharePackets('/', [`["message",{"text":"${'x'.repeat(100_000)}"}]`]).at(0)
    expect(unsentBytes(server)).toBeLessThan(1_000)
    // More than what the kernel takes at once, in one turn of the event loop: nobody can read meanwhile.
    for (let i = 0; i < 200; i++) writePacket(server, packet)
    expect(unsentBytes(server)).toBeGreaterThan(1_000_000)
    terminate(server)
    await ended
    client.disconnect()
  })
})

it.each([
  [1000, true],
  [1001, true],
  [4000, false],
])('a websocket closed with code %i was closed on purpose: %s', async (code, isMeant) => {
  const { server, client } = await pair(['websocket'])
  const ended = once(server, 'disconnect')
  const { ws } = client.io.engine.transport as unknown as { ws: { close(code: number): void } }
  ws.close(code === 1001 ? 1000 : code)
  await ended
  expect(wasClosedByClient(server)).toBe(isMeant)
})

it('a websocket that was cut was not closed on purpose', async () => {
  const { server, client } = await pair(['websocket'])
  const ended = once(server, 'disconnect')
  const { ws } = client.io.engine.transport as unknown as {
    ws: { terminate?(): void; _socket?: { destroy(): void } }
  }
  if (ws.terminate === undefined) throw new Error('the client has no raw websocket to cut')
  ws.terminate()
  await ended
  expect(wasClosedByClient(server)).toBe(false)
})

it.each([
  ['websocket', ['websocket']],
  ['polling', ['polling']],
  ['polling, upgraded', ['polling', 'websocket']],
])('a connection by %s serves on after its handshake was released', async (_name, transports) => {
  const { server, client } = await pair(transports)
  const { request } = server.conn
  const told: string[] = []
  for (const name of ['first', 'second']) server.conn.once('close', () => void told.push(name))
  server.conn.on('close', () => void told.push('third'))
  releaseHandshake(server)
  if (transports.length > 1) {
    await once(server.conn, 'upgrade')
    releaseTransport(server.conn)
  }
  expect(server.handshake.headers).toEqual({})
  expect(server.conn.request).not.toBe(request)
  expect(server.handshake.query['transport']).toBe(transports[0])

  // Both ways, a further namespace, and the ends of both.
  const echo = new Promise((resolve) => {
    server.on('say', (request) => resolve(request))
  })
  client.emit('say', { text: 'hello' })
  expect(await echo).toEqual({ text: 'hello' })
  const heard = new Promise((resolve) => {
    client.once('message', resolve)
  })
  server.emit('message', { event: 'error', room: '', data: { code: 'busy', message: '' } })
  expect(await heard).toMatchObject({ event: 'error' })
  const further = once(io.of('/further'), 'connection') as Promise<[ChatSocket]>
  client.io.socket('/further').connect()
  const [second] = await further
  expect(second.handshake.query['transport']).toBe(transports[0])
  releaseHandshake(second)
  const ended = Promise.all([once(server, 'disconnect'), once(second, 'disconnect')])
  client.io.engine.close()
  await ended
  expect(io.of('/').sockets.has(server.id)).toBe(false)
  await until('all who listen to its end', () => told.length === 3)
  expect(told).toEqual(['first', 'second', 'third'])
})

it('the request of a websocket is free once its handshake was released', async () => {
  const { server, client } = await pair(['websocket'])
  const request = new WeakRef(server.conn.request)
  releaseHandshake(server)
  await until('the request to be collected', () => {
    collectGarbage()
    return request.deref() === undefined
  })
  client.disconnect()
})
