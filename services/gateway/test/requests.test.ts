import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { Server } from 'socket.io'
import { WebSocket } from 'ws'
import { createRefuse } from '../src/handshakes.ts'
import { guardRequests } from '../src/requests.ts'

const SILENCE_MS = 45_000
const AFFINITY_COOKIE = 'roomcast; Path=/'

const io = new Server({ allowEIO3: true })
let url: string
let now = 0
let isEnding = false
const http = createServer()
beforeAll(async () => {
  io.attach(http)
  guardRequests(io.engine, {
    isEnding: () => isEnding,
    turnsAway: () => false,
    affinityCookie: AFFINITY_COOKIE,
    refuse: createRefuse(AFFINITY_COOKIE),
    onRefused: () => undefined,
    limits: [],
    silenceMs: SILENCE_MS,
    now: () => now,
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/socket.io/?transport=polling`
})
afterAll(() => io.close())

// A packet that gets an answer, so that a poll has something to bring.
it.each([
  [4, '40'],
  [3, '1:2'],
])('a poll that comes after its time finds no session, in version %i', async (version, packet) => {
  const open = async (): Promise<string> => {
    const text = await (await fetch(`${url}&EIO=${version}`)).text()
    return `${url}&EIO=${version}&sid=${/"sid":"([^"]+)"/.exec(text)?.[1]}`
  }
  const say = (session: string): Promise<Response> =>
    fetch(session, { method: 'POST', body: packet })
  const poll = async (session: string): Promise<number> => (await fetch(session)).status
  now = 0
  const [silent, alive] = [await open(), await open()]
  await say(silent)
  now = SILENCE_MS - 1
  expect(await poll(silent)).toBe(200)
  await say(alive)
  now = SILENCE_MS
  expect(await poll(silent)).toBe(400)
  expect(await poll(alive)).toBe(200)
})

/** A session whose websocket has got the answer to its probe. */
async function probed(): Promise<{ session: string; ws: WebSocket }> {
  const text = await (await fetch(`${url}&EIO=4`)).text()
  const session = `${url}&EIO=4&sid=${/"sid":"([^"]+)"/.exec(text)?.[1]}`
  const ws = new WebSocket(
    session.replace('http', 'ws').replace('transport=polling', 'transport=websocket'),
  )
  await once(ws, 'open')
  ws.send('2probe')
  await once(ws, 'message')
  return { session, ws }
}

it('a poll that arrives before the end of an upgrade and was sent after it is refused', async () => {
  const { session, ws } = await probed()
  const arrived = once(http, 'request')
  const poll = fetch(session)
  await arrived
  ws.send('5')
  expect((await poll).status).toBe(400)
  ws.terminate()
})

it('a poll during an upgrade is ended, so that the client can go on with it', async () => {
  const { session, ws } = await probed()
  const poll = await fetch(session)
  expect([poll.status, await poll.text()]).toEqual([200, '6'])
  ws.terminate()
})

it('after an upgrade that failed polls are served as before', async () => {
  const { session, ws } = await probed()
  ws.close()
  await once(ws, 'close')
  const poll = fetch(session)
  const post = await fetch(session, { method: 'POST', body: '40' })
  expect(post.status).toBe(200)
  const response = await poll
  expect([response.status, (await response.text()).slice(0, 2)]).toEqual([200, '40'])
})

it('while the gateway ends new connections get 503 and are free of their cookie, over both transports', async () => {
  isEnding = true
  try {
    const { status, headers } = await fetch(`${url}&EIO=4`)
    expect([status, headers.get('set-cookie')]).toEqual([503, 'roomcast=; Max-Age=0; Path=/'])
    const ws = new WebSocket(`${url.replace('http', 'ws').replace('polling', 'websocket')}&EIO=4`)
    ws.on('error', () => undefined)
    const [, refused] = (await once(ws, 'unexpected-response')) as [unknown, IncomingMessage]
    expect([refused.statusCode, refused.headers['set-cookie']]).toEqual([
      503,
      ['roomcast=; Max-Age=0; Path=/'],
    ])
    ws.terminate()
  } finally {
    isEnding = false
  }
})
