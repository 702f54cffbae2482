import { expect, it } from '@jest/globals'
import { joinRoom, says, type ClientOptions } from '../support/clients.ts'
import { startDeployment, statusOf } from '../support/deployment.ts'
import { startNginx } from '../support/nginx.ts'
import { until } from '../support/processes.ts'
import { startProxy } from '../support/proxy.ts'

const SPREAD_MS = 3_000
const MEMBERS = 30
const TRANSPORTS: ClientOptions[] = [
  { transports: ['websocket'] },
  { transports: ['polling', 'websocket'] },
]

it('a gateway that ends lets its members go one after another, and nobody loses or doubles a message or sees a quit', async () => {
  await using deployment = await startDeployment({
    gateways: 2,
    env: {
      DRAIN_PROPAGATION_MS: '500',
      DRAIN_SPREAD_MS: `${SPREAD_MS}`,
      QUIT_GRACE_MS: '1500',
      AFFINITY_COOKIE: 'roomcast; Path=/; SameSite=Lax',
    },
  })
  const [leaving, staying] = deployment.gateways
  if (leaving === undefined || staying === undefined) throw new Error('two gateways were to start')
  await using way = await startProxy(leaving.url)
  const bob = await joinRoom(staying.url, 'drain', 'bob')
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, (_, i) =>
      joinRoom(way.url, 'drain', `member ${i}`, TRANSPORTS[i % 2]),
    ),
  )
  await until('the upgrades', () =>
    members.every(({ socket }) => socket.io.engine.transport.name === 'websocket'),
  )
  // Pollers stay with the gateway that they know: they are let go as well, and find no other here.
  const pollers = await Promise.all(
    [0, 1, 2].map((i) =>
      joinRoom(leaving.url, 'pollers', `poller ${i}`, {
        transports: ['polling'],
        reconnection: false,
      }),
    ),
  )
  const leftAt: number[] = []
  for (const { socket } of members) socket.once('disconnect', () => leftAt.push(Date.now()))
  let sent = 0
  let isOver = false
  const talk = (async () => {
    while (!isOver) {
      const text = `${sent}`
      if (!(await bob.ask('say', { text, id: text })).ok) throw new Error('a message was refused')
      sent++
      await new Promise((resolve) => {
        setTimeout(resolve, 10)
      })
    }
  })()
  const started = Date.now()
  way.retarget(staying.url)
  leaving.signal('SIGTERM')
  await until(
    'not to be ready',
    async () => (await statusOf(`${leaving.metricsUrl}/readyz`)) === 503,
  )
  expect(await statusOf(`${leaving.metricsUrl}/livez`)).toBe(200)
  const refused = await fetch(`${leaving.url}/socket.io/?EIO=4&transport=polling`)
  expect(refused.status).toBe(503)
  expect(refused.headers.get('set-cookie')).toBe('roomcast=; Max-Age=0; Path=/; SameSite=Lax')
  expect(await leaving.ended(20_000)).toBe(0)
  isOver = true
  await talk
  await until('the pollers to be let go', () => pollers.every(({ socket }) => !socket.connected))

  for (const member of members) {
    await until('a recovered connection', () => member.socket.connected && member.socket.recovered)
    await member.got('the last message', says(`${sent - 1}`))
    expect(member.texts()).toEqual(Array.from({ length: sent }, (_, i) => `${i}`))
    expect(member.received.some(({ message }) => message.event === 'broadcast_quit')).toBe(false)
  }
  // Second by second: none in the time of propagation, then about a third of them in each second.
  const perSecond = [0, 1, 2, 3].map(
    (second) => leftAt.filter((at) => Math.floor((at - started - 500) / 1_000) === second).length,
  )
  expect(leftAt.every((at) => at - started >= 500)).toBe(true)
  for (const n of perSecond.slice(0, 3)) expect(n).toBeGreaterThan(MEMBERS / 3 / 2)
  for (const n of perSecond) expect(n).toBeLessThan((MEMBERS / 3) * 2)
  for (const client of [bob, ...members, ...pollers]) client.close()
}, 60_000)

it('a gateway ends although upgraded connections of another one pass through it', async () => {
  await using deployment = await startDeployment({
    gateways: 2,
    env: { DRAIN_SPREAD_MS: '200', QUIT_GRACE_MS: '200' },
  })
  const hosts = deployment.gateways.map(({ url }) => new URL(url).host)
  await using nginx = await startNginx(hosts, 'round_robin')
  const members = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      joinRoom(nginx.url, 'through', `member ${i}`, { transports: ['polling', 'websocket'] }),
    ),
  )
  await until('the upgrades', () =>
    members.every(({ socket }) => socket.io.engine.transport.name === 'websocket'),
  )
  const forwarded = await Promise.all(
    deployment.gateways.map(async ({ metricsUrl }) => {
      const metrics = await (await fetch(`${metricsUrl}/metrics`)).text()
      return Number(/forwarded_requests_total\{.*kind="upgrade".*\} (\d+)/.exec(metrics)?.[1])
    }),
  )
  // The one through which most pass.
  const leaving = deployment.gateways[(forwarded[0] ?? 0) > (forwarded[1] ?? 0) ? 0 : 1]
  expect(Math.max(...forwarded)).toBeGreaterThan(0)
  leaving?.signal('SIGTERM')
  expect(await leaving?.ended(10_000)).toBe(0)
  for (const member of members) {
    await until('to be back', async () => {
      if (!member.socket.connected) return false
      return (await member.ask('say', { text: 'still here', id: 'still' })).ok
    })
    member.close()
  }
}, 60_000)
