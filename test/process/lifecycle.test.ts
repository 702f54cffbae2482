import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import type { Redis } from 'ioredis'
import type { Said } from '@roomcast/protocol'
import { joinRoom, says } from '../support/clients.ts'
import { INSTRUMENTED, startDeployment, statusOf } from '../support/deployment.ts'
import { startProcess, until } from '../support/processes.ts'
import { freePort, startRedis } from '../support/redis.ts'

const cwd = fileURLToPath(new URL('../..', import.meta.url))
const NODE_FLAGS = ['--conditions=source', '--disable-warning=ExperimentalWarning', ...INSTRUMENTED]

function startService(name: string, env: Record<string, string>) {
  return startProcess(process.execPath, [...NODE_FLAGS, `services/${name}/src/main.ts`], {
    cwd,
    env: { HOST: '127.0.0.1', ...env },
  })
}

/** More than one round of the connections that a service has. */
const ATTEMPTS = 8

async function connectionsOf(admin: Redis): Promise<number> {
  const stats = await admin.info('stats')
  return Number(/^total_connections_received:(\d+)/m.exec(stats)?.[1])
}

const URLS = {
  REDIS_URL: 'redis://127.0.0.1:1',
  BROKER_URL: 'http://127.0.0.1:1',
  PRESENCE_URL: 'http://127.0.0.1:1',
}

describe.each(['gateway', 'broker', 'presence'])('%s', (name) => {
  it('names every fault of its environment at once, without values or a stack, and ends with 78', async () => {
    await using service = startService(name, {
      PORT: 'eighty',
      METRICS_PORT: '70000',
      LOG_LEVEL: 'loud',
      INTERNAL_TOKEN: 'short-secret',
      ...(name === 'presence' ? { LEASE_MS: '-1' } : { REDIS_URL: 'http://secret@nowhere' }),
    })
    expect(await service.ended()).toBe(78)
    const output = service.output()
    expect(output).toContain(`roomcast ${name}: the environment is not valid`)
    expect(output).toContain('PORT: must be a whole number from 0 to 65535 (a port)')
    expect(output).toContain('METRICS_PORT: must be a whole number')
    expect(output).toContain('LOG_LEVEL: must be one of')
    expect(output).toContain(
      'INTERNAL_TOKEN: each token needs 16 to 1024 printable ASCII characters',
    )
    expect(output).toContain(
      name === 'presence' ? 'LEASE_MS: must be' : 'REDIS_URL: must be redis://',
    )
    if (name === 'gateway') expect(output).toContain('BROKER_URL: is required')
    expect(output).not.toContain('secret@')
    expect(output).not.toContain('short-secret')
    expect(output).not.toMatch(/^\s+at /m)
  })

  it('says in one sentence that its port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    await using service = startService(name, {
      ...URLS,
      PORT: String(port),
      METRICS_PORT: '0',
      LOG_LEVEL: 'error',
    })
    expect(await service.ended()).toBe(1)
    expect(service.output()).toBe(
      `roomcast ${name}: port ${port} on 127.0.0.1 is taken by another program: end it, or choose another port\n`,
    )
    taken.close()
  })

  it('runs without the others, is alive and not ready, and ends with 0 on SIGTERM', async () => {
    const metricsPort = await freePort()
    await using service = startService(name, {
      ...URLS,
      PORT: '0',
      METRICS_PORT: String(metricsPort),
    })
    const at = (path: string): string => `http://127.0.0.1:${metricsPort}${path}`
    await until('the service to live', async () => (await statusOf(at('/livez'))) === 200)
    expect(await statusOf(at('/readyz'))).toBe(503)
    expect(await statusOf(at('/metrics'))).toBe(200)
    expect(await statusOf(at('/nowhere'))).toBe(404)
    service.signal('SIGTERM')
    expect(await service.ended()).toBe(0)
    const secrets = /REDIS_URL":"redis:\/\//
    expect(service.output()).not.toMatch(secrets)
  })
})

it.each(['gateway', 'broker'])(
  '%s runs on with a wrong password of Redis, which its log names without showing it, and works once it is right',
  async (name) => {
    await using redis = await startRedis()
    await redis.admin.config('SET', 'requirepass', 'the-right-one')
    const metricsPort = await freePort()
    await using service = startService(name, {
      ...URLS,
      REDIS_URL: redis.url.replace('//', '//:the-wrong-one@'),
      PORT: '0',
      METRICS_PORT: String(metricsPort),
    })
    await service.printed(/WRONGPASS/)
    const attempts = await connectionsOf(redis.admin)
    await until(
      'more attempts',
      async () => (await connectionsOf(redis.admin)) > attempts + ATTEMPTS,
    )
    await redis.admin.config('SET', 'requirepass', 'the-wrong-one')
    await service.printed(/connected to Redis|Redis is back/)
    if (name === 'gateway')
      await until('cluster operations to be subscribed', async () => {
        const channels = (await redis.admin.call('PUBSUB', 'SHARDCHANNELS')) as string[]
        return channels.filter((channel) => channel.includes('#/#')).length === 2
      })
    service.signal('SIGTERM')
    expect(await service.ended()).toBe(0)
    expect(service.output()).not.toContain('the-wrong-one')
  },
  30_000,
)

it('SIGTERM of a gateway in the midst of traffic: what was acknowledged is there, quits are told, clients come back', async () => {
  await using deployment = await startDeployment({ gateways: 2 })
  const [leaving, staying] = deployment.gateways
  const witness = await joinRoom(staying?.url ?? '', 'drain', 'witness')
  const alice = await joinRoom(leaving?.url ?? '', 'drain', 'alice', { reconnection: false })
  const acknowledged: string[] = []
  let isOver = false
  alice.socket.once('disconnect', () => (isOver = true))
  let sent = 0
  const pump = setInterval(() => {
    const text = `${sent++}`
    alice.socket.emit('say', { text }, (answer: Said) => answer.ok && acknowledged.push(text))
    if (sent === 50) leaving?.signal('SIGTERM')
    if (isOver) clearInterval(pump)
  }, 2)
  expect(await leaving?.ended()).toBe(0)
  clearInterval(pump)
  expect(acknowledged.length).toBeGreaterThan(20)
  await witness.got(
    'the quit of alice',
    ({ event, data }) => event === 'broadcast_quit' && data.username === 'alice',
  )
  const last = acknowledged.at(-1) ?? ''
  await witness.got('the last acknowledged message', says(last))
  const received = new Set(witness.texts())
  expect(acknowledged.filter((text) => !received.has(text))).toEqual([])
  witness.close()
  alice.close()
}, 60_000)
