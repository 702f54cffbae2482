import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Said } from '@roomcast/protocol'
import { WebSocket } from 'ws'
import { joinRoom, says, type ClientOptions, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { startNginx, type TestNginx } from '../support/nginx.ts'
import { until } from '../support/processes.ts'

const suite = new AsyncDisposableStack()
let deployment: Deployment
/** Sends each request to the next gateway, whoever it belongs to. */
let nginx: TestNginx
const clients: TestClient[] = []

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({ gateways: 3, env: { SAY_RATE_PER_SECOND: '1000', SAY_BURST: '1000' } }),
  )
  const hosts = deployment.gateways.map(({ url }) => new URL(url).host)
  nginx = suite.use(await startNginx(hosts, 'round_robin'))
}, 60_000)
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(() => suite.disposeAsync())

const TRANSPORTS: [string, ClientOptions][] = [
  ['websocket alone', { transports: ['websocket'] }],
  ['polling alone', { transports: ['polling'] }],
  ['polling with upgrade', { transports: ['polling', 'websocket'] }],
]

async function forwarded(kind: 'request' | 'upgrade'): Promise<number> {
  const counts = await Promise.all(
    deployment.gateways.map(async ({ metricsUrl }) => {
      const metrics = await (await fetch(`${metricsUrl}/metrics`)).text()
      const pattern = new RegExp(
        `^roomcast_gateway_forwarded_requests_total\\{.*kind="${kind}".*\\} (\\d+)`,
        'm',
      )
      return Number(pattern.exec(metrics)?.[1])
    }),
  )
  return counts.reduce((sum, n) => sum + n, 0)
}

describe('three gateways behind plain round-robin, without any stickiness', () => {
  it('serve v4 and v2 clients over every transport without one failed request', async () => {
    const members = await Promise.all(
      [4, 2].flatMap((generation) =>
        TRANSPORTS.flatMap(([name, transport]) =>
          Array.from({ length: 4 }, (_, i) =>
            joinRoom(nginx.url, 'strays', `v${generation} ${name} ${i}`, {
              ...transport,
              generation: generation as 2 | 4,
            }),
          ),
        ),
      ),
    )
    clients.push(...members)
    let disconnects = 0
    for (const { socket } of members) socket.on('disconnect', () => disconnects++)
    const answers = await Promise.all(
      members.flatMap((member, i) =>
        Array.from({ length: 5 }, (_, n) => member.ask<Said>('say', { text: `${i}:${n}` })),
      ),
    )
    expect(answers.every(({ ok }) => ok)).toBe(true)
    const total = members.length * 5
    await until('everybody to have everything', () =>
      members.every((member) => member.texts().length >= total),
    )
    const [first, ...others] = members.map((member) => member.texts())
    expect(new Set(first).size).toBe(total)
    for (const other of others) expect(other).toEqual(first)
    await until('the upgrades', () =>
      members.slice(8, 12).every(({ socket }) => socket.io.engine.transport.name === 'websocket'),
    )
    expect(disconnects).toBe(0)
    expect(await forwarded('request')).toBeGreaterThan(10)
    expect(await forwarded('upgrade')).toBeGreaterThan(2)
    const failed = (await nginx.requests()).filter(
      ({ status, request }) => request.includes('/socket.io/') && status >= 400 && status !== 499,
    )
    expect(failed).toEqual([])
    // Only then: a poll that arrives after its session was closed by the client is answered with 400.
    for (const member of members) member.close()
  })

  it('an upgrade that was forwarded carries much in both directions, in order', async () => {
    const alice = await joinRoom(nginx.url, 'much', 'alice', {
      transports: ['polling', 'websocket'],
    })
    clients.push(alice)
    await until('the upgrade', () => alice.socket.io.engine.transport.name === 'websocket')
    const text = 'x'.repeat(4_000)
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => alice.ask<Said>('say', { text: `${i} ${text}` })),
    )
    expect(answers.every(({ ok }) => ok)).toBe(true)
    await alice.got('the last message', says(`299 ${text}`))
    expect(alice.texts().map((t) => Number(t.split(' ')[0]))).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    )
  })
})

it('a poll that a proxy repeats because its answer was lost ends the connection, so that nothing is lost unnoticed', async () => {
  const url = `${deployment.gateways[0]?.url}/socket.io/?EIO=4&transport=polling`
  const { sid } = JSON.parse((await (await fetch(`${url}&t=a`)).text()).slice(1)) as { sid: string }
  const post = async (body: string): Promise<number> =>
    (await fetch(`${url}&sid=${sid}`, { method: 'POST', body })).status
  expect(await post('40')).toBe(200)
  expect((await fetch(`${url}&sid=${sid}&t=b`)).status).toBe(200)
  expect(await post('42["say",{}]')).toBe(200)
  expect((await fetch(`${url}&sid=${sid}&t=c`)).status).toBe(200)
  expect((await fetch(`${url}&sid=${sid}&t=c`)).status).toBe(400)
})

describe('a session id that no gateway made, or whose gateway is gone', () => {
  const poll = async (sid: string): Promise<[number, unknown]> => {
    const [first] = deployment.gateways
    const started = performance.now()
    const response = await fetch(
      `${first?.url}/socket.io/?EIO=4&transport=polling&sid=${encodeURIComponent(sid)}`,
    )
    expect(performance.now() - started).toBeLessThan(500)
    return [response.status, await response.json()]
  }
  const unknown = [400, { code: 1, message: 'Session ID unknown' }]

  it.each(['nobody', 'a.b.c', '..', 'x'.repeat(2_000), '../../etc/passwd'])(
    '%j is unknown at once',
    async (sid) => {
      expect(await poll(sid)).toEqual(unknown)
    },
  )

  it('one that was tampered with is unknown at once', async () => {
    const open = await (
      await fetch(`${deployment.gateways[1]?.url}/socket.io/?EIO=4&transport=polling`)
    ).text()
    const { sid } = JSON.parse(open.slice(1)) as { sid: string }
    const [random, owner, mac] = sid.split('.')
    expect(await poll(`${random}x.${owner}.${mac}`)).toEqual(unknown)
    expect(await poll(`${random}.127_0_0_1.${mac}`)).toEqual(unknown)
    expect(await poll(`${random}.${owner}.`)).toEqual(unknown)
  })

  it('one of a gateway that was killed is unknown at once, also for an upgrade', async () => {
    const doomed = await deployment.addGateway()
    const open = await (await fetch(`${doomed.url}/socket.io/?EIO=4&transport=polling`)).text()
    const { sid } = JSON.parse(open.slice(1)) as { sid: string }
    doomed.signal('SIGKILL')
    await doomed.ended()
    await until('the others to know', async () => (await poll(sid))[0] === 400)
    const [first] = deployment.gateways
    const ws = new WebSocket(
      `${first?.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${sid}`,
    )
    const status = await new Promise<number | undefined>((resolve) => {
      ws.once('unexpected-response', (_request, response) => resolve(response.statusCode))
      ws.once('error', () => resolve(undefined))
    })
    expect(status).toBe(400)
  })
})
