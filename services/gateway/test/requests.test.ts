import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { Server } from 'socket.io'
import { guardRequests } from '../src/requests.ts'

const SILENCE_MS = 45_000

const io = new Server({ allowEIO3: true })
let url: string
let now = 0
beforeAll(async () => {
  const http = createServer()
  io.attach(http)
  guardRequests(io.engine, {
    isEnding: () => false,
    affinityCookie: undefined,
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
