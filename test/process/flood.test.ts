import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { residentBytes } from '../../scripts/bench/process-usage.ts'
import { joinRoom, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment, type TestService } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

/** How long each flood goes on, in milliseconds. */
const FLOOD_MS = 4_000
/** Requests of each client that may be without an answer. */
const WINDOW = 200
const CLIENTS = 20
/** What a process may grow by in a flood: its queues are bounded at 1 MB, the rest is what the collector has not looked at yet. */
const SLACK_BYTES = 96 * 1_048_576

let deployment: Deployment
beforeAll(async () => {
  deployment = await startDeployment({
    env: {
      LOG_LEVEL: 'error',
      OUTBOX_MAX_MESSAGES: '500',
      OUTBOX_MAX_BYTES: '1000000',
      PUBLISH_MAX_BYTES: '1000000',
      // As they are by default: one client is refused by them, whatever else it meets.
      SAY_RATE_PER_SECOND: '20',
      SAY_BURST: '40',
      // Without the ends that a flood comes to: what is looked at here is what bears it until then.
      EVENT_RATE_PER_SECOND: '1000000',
      HTTP_RATE_PER_SECOND: '0',
    },
  })
}, 60_000)
afterAll(async () => {
  await deployment[Symbol.asyncDispose]()
})

const residentOf = ({ child }: TestService): Promise<number> => residentBytes(child.pid ?? 0)

/** Counts the answers to requests that are made as fast as the window lets, and how far memory goes in its second half beyond the first. */
async function flood(
  services: readonly TestService[],
  askers: readonly (() => Promise<string>)[],
): Promise<{ answers: Record<string, number>; growthBytes: number }> {
  const answers: Record<string, number> = {}
  const startedAt = performance.now()
  const isOver = (): boolean => performance.now() - startedAt > FLOOD_MS
  const asking = askers.flatMap((ask) =>
    Array.from({ length: WINDOW }, async () => {
      while (!isOver()) {
        const answer = await ask()
        answers[answer] = (answers[answer] ?? 0) + 1
      }
    }),
  )
  const resident = async (): Promise<number> =>
    Math.max(...(await Promise.all(services.map(residentOf))))
  await until('half of the flood', () => performance.now() - startedAt > FLOOD_MS / 2)
  const early = await resident()
  await Promise.all(asking)
  return { answers, growthBytes: (await resident()) - early }
}

const say = (client: TestClient) => async (): Promise<string> => {
  const answer = await client.ask<{ code?: string }>('say', { text: 'x'.repeat(1_000) })
  return answer.ok ? 'ok' : (answer.code ?? 'none')
}

it('a flood from one client is rate limited, from many is busy, from the HTTP API is busy; nobody is cut off, and memory stays level', async () => {
  const [gateway] = deployment.gateways
  const [broker] = deployment.brokers
  if (gateway === undefined || broker === undefined)
    throw new Error('a deployment without services')
  const services = [gateway, broker]

  const one = await joinRoom(gateway.url, 'flood', 'one')
  const fromOne = await flood(services, [say(one)])
  expect(fromOne.answers['rate_limited']).toBeGreaterThan(1_000)
  expect(Object.keys(fromOne.answers).toSorted()).toEqual(['ok', 'rate_limited'])
  expect(fromOne.growthBytes).toBeLessThan(SLACK_BYTES)

  const unlimited = await deployment.addGateway({
    SAY_RATE_PER_SECOND: '1000000',
    SAY_BURST: '1000000',
    POD_NAME: 'unlimited',
  })
  const many = await Promise.all(
    Array.from({ length: CLIENTS }, (_, i) => joinRoom(unlimited.url, `flood ${i}`, `of ${i}`)),
  )
  const fromMany = await flood([unlimited, broker], many.map(say))
  expect(fromMany.answers['busy']).toBeGreaterThan(100)
  expect(fromMany.answers['ok']).toBeGreaterThan(100)
  expect(Object.keys(fromMany.answers).toSorted()).toEqual(['busy', 'ok'])
  expect(fromMany.growthBytes).toBeLessThan(SLACK_BYTES)

  const publish = async (): Promise<string> => {
    const answer = await fetch(`${broker.url}/v1/rooms/flood/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'robot', text: 'x'.repeat(4_000) }),
    })
    const { code } = (await answer.json()) as { code?: string }
    return code ?? String(answer.status)
  }
  const fromHttp = await flood(
    services,
    Array.from({ length: 4 }, () => publish),
  )
  expect(fromHttp.answers['201']).toBeGreaterThan(100)
  expect(Object.keys(fromHttp.answers).filter((code) => code !== 'busy')).toEqual(['201'])
  expect(fromHttp.growthBytes).toBeLessThan(SLACK_BYTES)

  for (const client of [one, ...many]) {
    expect(client.socket.connected).toBe(true)
    client.close()
  }
}, 60_000)
