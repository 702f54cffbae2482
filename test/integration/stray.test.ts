import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Said } from '@roomcast/protocol'
import { WebSocket } from 'ws'
import { joinRoom, says, type ClientOptions, type TestClient } from '../support/clients.ts'
import { createSessionIds } from '../../services/gateway/src/session-id.ts'
import {
  getJson,
  startDeployment,
  type Deployment,
  type TestService,
} from '../support/deployment.ts'
import { startNginx, type TestNginx } from '../support/nginx.ts'
import { until } from '../support/processes.ts'

const suite = new AsyncDisposableStack()
let deployment: Deployment
/** Sends each request to the next gateway, whoever it belongs to. */
let nginx: TestNginx
const clients: TestClient[] = []

beforeAll(async () => {
  deployment = suite.use(await startDeployment({ gateways: 3 }))
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

const CLIENTS_OF_A_KIND = 8
const SAYS_EACH = 10

describe('three gateways behind plain round-robin, without any stickiness', () => {
  it('serve v4 and v2 clients over every transport, from the first request to the last, without one that failed', async () => {
    const members = await Promise.all(
      ([4, 2] as const).flatMap((generation) =>
        TRANSPORTS.flatMap(([name, transport]) =>
          Array.from({ length: CLIENTS_OF_A_KIND }, (_, i) =>
            joinRoom(nginx.url, 'strays', `v${generation} ${name} ${i}`, {
              ...transport,
              generation,
            }),
          ),
        ),
      ),
    )
    clients.push(...members)
    const disconnects: unknown[] = []
    for (const { socket } of members)
      socket.on('disconnect', (...reason) => disconnects.push(reason))
    // Each waits for his answer before he goes on, so that what is said does not travel in a few large requests.
    const answers = await Promise.all(
      members.map(async (member, i) => {
        const got: (Said & { ok: boolean })[] = []
        for (let n = 0; n < SAYS_EACH; n++)
          got.push(await member.ask<Said>('say', { text: `${i}:${n}` }))
        return got
      }),
    )
    expect(answers.flat().every(({ ok }) => ok)).toBe(true)
    const total = members.length * SAYS_EACH
    await until('everybody to have everything', () =>
      members.every((member) => member.texts().length >= total),
    )
    const [first, ...others] = members.map((member) => member.texts())
    expect(new Set(first).size).toBe(total)
    for (const other of others) expect(other).toEqual(first)
    await until('the upgrades', () =>
      members
        .slice(2 * CLIENTS_OF_A_KIND, 3 * CLIENTS_OF_A_KIND)
        .every(({ socket }) => socket.io.engine.transport.name === 'websocket'),
    )
    expect(disconnects).toEqual([])
    for (const member of members) member.close()
    await until('the end of every connection', async () => {
      const { connections } = await getJson<{ connections: number }>(
        `${deployment.presences[0]?.url}/v1/stats`,
      )
      return connections === 0
    })
    const requests = (await nginx.requests()).filter(({ request }) =>
      request.includes('/socket.io/'),
    )
    expect(requests.length).toBeGreaterThan(500)
    expect(requests.filter(({ status }) => status !== 200 && status !== 101)).toEqual([])
    // Nor was one helped by nginx, which asks another gateway when one fails.
    expect(requests.filter(({ upstreams }) => upstreams.length > 1)).toEqual([])
    // Two of three requests that belong to a session land astray.
    expect(await forwarded('request')).toBeGreaterThan(300)
    expect(await forwarded('upgrade')).toBeGreaterThan(CLIENTS_OF_A_KIND / 2)
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

/** A gateway as presence lists it. */
async function gatewayOf(service: TestService | undefined): Promise<{ instance: string }> {
  const { gateways } = await getJson<{ gateways: { address: string; instance: string }[] }>(
    `${deployment.presences[0]?.url}/v1/gateways`,
  )
  const found = gateways.find(({ address }) => service?.url === `http://${address}`)
  if (found === undefined) throw new Error(`presence lists no gateway at ${service?.url}`)
  return found
}

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
  const upgrade = async (sid: string): Promise<number | undefined> => {
    const url = deployment.gateways[0]?.url.replace('http', 'ws')
    const started = performance.now()
    const ws = new WebSocket(
      `${url}/socket.io/?EIO=4&transport=websocket&sid=${encodeURIComponent(sid)}`,
    )
    const status = await new Promise<number | undefined>((resolve) => {
      ws.once('unexpected-response', (_request, response) => resolve(response.statusCode))
      ws.once('error', () => resolve(undefined))
    })
    expect(performance.now() - started).toBeLessThan(500)
    return status
  }
  const unknown = [400, { code: 1, message: 'Session ID unknown' }]

  it.each(['nobody', 'a.b.c', '..', 'x'.repeat(2_000), '../../etc/passwd'])(
    '%j is unknown at once',
    async (sid) => {
      expect(await poll(sid)).toEqual(unknown)
      expect(await upgrade(sid)).toBe(400)
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
    expect(await upgrade(`${random}.127_0_0_1.${mac}`)).toBe(400)
    expect(await poll(`${random}.${owner}.`)).toEqual(unknown)
  })

  it('one of another installation is unknown at once', async () => {
    const { instance } = await gatewayOf(deployment.gateways[1])
    const sid = createSessionIds(instance, () => ['another secret']).create()
    expect(await poll(sid)).toEqual(unknown)
    expect(await upgrade(sid)).toBe(400)
  })

  it('a genuine one whose gateway nobody has heard of is unknown when it does not appear in a moment', async () => {
    const sid = createSessionIds('0123456789abcdef', () => []).create()
    const [first] = deployment.gateways
    const started = performance.now()
    const response = await fetch(`${first?.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`)
    expect([response.status, await response.json()]).toEqual(unknown)
    expect(performance.now() - started).toBeGreaterThan(900)
  })

  it('one whose session has ended is unknown at once', async () => {
    const url = `${deployment.gateways[1]?.url}/socket.io/?EIO=4&transport=polling`
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1)) as { sid: string }
    const ending = fetch(`${url}&sid=${sid}`)
    await until('the end of the session', async () => {
      await fetch(`${url}&sid=${sid}`, { method: 'POST', body: '1' })
      return (await poll(sid))[0] === 400
    })
    await (await ending).text()
    expect(await poll(sid)).toEqual(unknown)
    expect(await upgrade(sid)).toBe(400)
  })

  it('one of a gateway that was killed is unknown at once, also for an upgrade', async () => {
    const doomed = await deployment.addGateway()
    const open = await (await fetch(`${doomed.url}/socket.io/?EIO=4&transport=polling`)).text()
    const { sid } = JSON.parse(open.slice(1)) as { sid: string }
    doomed.signal('SIGKILL')
    await doomed.ended()
    await until('the others to know', async () => (await poll(sid))[0] === 400)
    expect(await upgrade(sid)).toBe(400)
  })
})
