import { createServer } from 'node:net'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { joinRoom, says } from '../support/clients.ts'
import { getJson, INSTRUMENTED, statusOf } from '../support/deployment.ts'
import { startProcess, until } from '../support/processes.ts'
import { startRedis } from '../support/redis.ts'

const cwd = fileURLToPath(new URL('../..', import.meta.url))

/** `npm start` without npm. The ports of the broker and of presence are fixed, so one runs at a time. */
function start(...args: string[]) {
  return startProcess(
    process.execPath,
    [
      '--conditions=source',
      '--disable-warning=ExperimentalWarning',
      ...INSTRUMENTED,
      'scripts/start.ts',
      ...args,
    ],
    { cwd, env: {} },
  )
}

it('npm start: two gateways chat within two seconds, everything answers, and Ctrl-C ends it within two more', async () => {
  const started = Date.now()
  await using roomcast = start()
  await until('the page', async () => (await statusOf('http://127.0.0.1:8080/')) === 200)
  const [alice, bob] = await Promise.all([
    joinRoom('http://127.0.0.1:8080', 'start', 'alice'),
    joinRoom('http://127.0.0.1:8081', 'start', 'bob'),
  ])
  await alice.ask('say', { text: 'hello' })
  await bob.got('the message', says('hello'))
  const usableMs = Date.now() - started
  await roomcast.printed(/Ctrl-C ends it/)
  for (const address of [
    'http://127.0.0.1:8080/static/socket.io.js',
    'http://127.0.0.1:8081/',
    'http://127.0.0.1:8070/openapi.json',
    'http://127.0.0.1:8090/v1/stats',
    'http://127.0.0.1:9464/metrics',
  ]) {
    expect([address, await statusOf(address)]).toEqual([address, 200])
  }
  await until('the count of both', async () => {
    const room = await getJson<{ online: number }>('http://127.0.0.1:8090/v1/rooms/start')
    return room.online === 2
  })
  expect(usableMs).toBeLessThan(4_000)
  const ending = Date.now()
  roomcast.signal('SIGINT')
  expect(await roomcast.ended()).toBe(0)
  expect(Date.now() - ending).toBeLessThan(2_000)
  for (const client of [alice, bob]) client.close()
})

it('npm start with --redis, --gateways and --port keeps messages over a restart', async () => {
  await using redis = await startRedis()
  const args = ['--redis', redis.url, '--gateways', '3', '--port', '8480']
  for (const text of ['first', 'second']) {
    await using roomcast = start(...args)
    await roomcast.printed(/http:\/\/127\.0\.0\.1:8482\//)
    const alice = await joinRoom('http://127.0.0.1:8482', 'kept', 'alice')
    await alice.ask('say', { text })
    if (text === 'second') {
      const history = await alice.ask<{ messages: { data: { text?: string } }[] }>('history', {})
      expect(history.messages.flatMap(({ data }) => data.text ?? [])).toEqual(['first', 'second'])
    }
    alice.close()
    roomcast.signal('SIGINT')
    expect(await roomcast.ended()).toBe(0)
  }
})

it.each([
  [['--gateways', '0'], '--gateways takes a whole number from 1 to 32'],
  [['--port', 'http'], '--port takes a whole number from 1 to 65503'],
  [['--nonsense'], "Unknown option '--nonsense'"],
  [['--redis', 'nonsense'], 'REDIS_URL: must be redis://host:port'],
])('npm start -- %j is answered in words', async (args, words) => {
  await using roomcast = start(...args)
  expect([1, 78]).toContain(await roomcast.ended())
  expect(roomcast.output()).toContain(words)
  expect(roomcast.output()).not.toMatch(/^\s+at /m)
})

it('npm start says in one sentence which port is taken', async () => {
  const taken = createServer().listen(8081, '127.0.0.1')
  await once(taken, 'listening')
  await using roomcast = start()
  expect(await roomcast.ended()).toBe(1)
  expect(roomcast.output()).toMatch(/^roomcast start: port 8081 on 127\.0\.0\.1 is taken[^\n]*\n$/)
  taken.close()
})
