import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { parseConfig, startGateway, type Gateway } from '@roomcast/gateway'
import { connectPatientRedis, createRedisLog } from '@roomcast/roomlog'
import { createLog, startTelemetry } from '@roomcast/runtime'
import '@roomcast/runtime/instrument'
import { joinRoom, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

let deployment: Deployment
/** A gateway of the same deployment whose server object is in this process, as an operator's own code would have it. */
let gateway: Gateway
let close: () => Promise<void>

beforeAll(async () => {
  deployment = await startDeployment({ gateways: 1 })
  const redisUrl = deployment.redis.url
  const roomLog = createRedisLog({ url: redisUrl })
  const cluster = {
    publisher: connectPatientRedis(redisUrl, 'test'),
    subscriber: connectPatientRedis(redisUrl, 'test-follow'),
  }
  await until('Redis', () => roomLog.isAvailable())
  const config = parseConfig({
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
    REDIS_URL: redisUrl,
    BROKER_URL: deployment.brokers[0]?.url,
    PRESENCE_URL: deployment.presences[0]?.url,
    POD_NAME: 'in-process',
  })
  gateway = await startGateway(config, {
    log: createLog('gateway', 'error'),
    telemetry: startTelemetry('gateway', 'test'),
    roomLog,
    cluster,
    now: Date.now,
  })
  close = async () => {
    await gateway.close()
    await roomLog.close()
    cluster.publisher.disconnect()
    cluster.subscriber.disconnect()
  }
}, 60_000)
const clients: TestClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(async () => {
  await close()
  await deployment[Symbol.asyncDispose]()
})

it('sockets of every gateway are found and disconnected through the Redis adapter, by room', async () => {
  const here = await joinRoom(`http://127.0.0.1:${gateway.port}`, 'cluster', 'here')
  const there = await joinRoom(deployment.gateways[0]?.url ?? '', 'cluster', 'there')
  const elsewhere = await joinRoom(deployment.gateways[0]?.url ?? '', 'another', 'elsewhere')
  clients.push(here, there, elsewhere)
  const sockets = await gateway.io.in('cluster').fetchSockets()
  expect(new Set(sockets.map(({ id }) => id))).toEqual(new Set([here.socket.id, there.socket.id]))
  expect(sockets).toHaveLength(2)
  expect(new Set(sockets.map(({ data }) => data.username))).toEqual(new Set(['here', 'there']))
  const reasons: string[] = []
  for (const { socket } of [here, there])
    socket.once('disconnect', (reason) => reasons.push(reason))
  gateway.io.in('cluster').disconnectSockets()
  await until('both to be disconnected', () => reasons.length === 2)
  expect(reasons).toEqual(['io server disconnect', 'io server disconnect'])
  expect(elsewhere.socket.connected).toBe(true)
})
