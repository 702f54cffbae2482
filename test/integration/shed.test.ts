import { afterEach, expect, it } from '@jest/globals'
import { joinRoom, says, type TestClient } from '../support/clients.ts'
import { getJson, startDeployment } from '../support/deployment.ts'
import { NGINX_COOKIE, startNginx } from '../support/nginx.ts'
import { until } from '../support/processes.ts'

const MEMBERS = 60
/** When sending away begins, in milliseconds after the gateways came: whoever joins has to be there by then. */
const REBALANCE_INTERVAL_MS = 5_000

const clients: TestClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  clients.push(await client)
  return client
}

/** A stock client that keeps its affinity cookie as a browser does, until a server takes it back. */
async function joinPinned(url: string, name: string, gateway: string): Promise<TestClient> {
  const extraHeaders: Record<string, string> = { cookie: `${NGINX_COOKIE}=${gateway}` }
  const transports = ['polling', 'websocket']
  const client = await joinRoom(url, 'shed', name, { extraHeaders, transports })
  client.socket.io.on('reconnect_error', (error: object) => {
    const { context } = error as { context?: XMLHttpRequest }
    if (context?.status !== 503) return
    expect(String(context.getResponseHeader('set-cookie'))).toContain(`${NGINX_COOKIE}=; Max-Age=0`)
    delete extraHeaders['cookie']
    client.socket.io.opts.extraHeaders = extraHeaders
  })
  return client
}

it('a gateway with too many connections sends some elsewhere past a pinning ingress; nobody loses a message, and who comes anew is let in', async () => {
  await using deployment = await startDeployment({
    gateways: 2,
    env: {
      REBALANCE: 'true',
      REBALANCE_TOLERANCE_PERCENT: '10',
      REBALANCE_BATCH_PERCENT: '100',
      REBALANCE_INTERVAL_MS: String(REBALANCE_INTERVAL_MS),
      AFFINITY_COOKIE: `${NGINX_COOKIE}; Path=/`,
    },
  })
  const [full, empty] = deployment.gateways.map(({ url }) => new URL(url).host)
  if (full === undefined || empty === undefined) throw new Error('two gateways were to start')
  await using nginx = await startNginx([full, empty], 'cookie')
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, (_, i) => keep(joinPinned(nginx.url, `member ${i}`, full))),
  )
  const bob = await keep(joinRoom(`http://${empty}`, 'shed', 'bob'))
  const { url } = deployment.presences[0] ?? { url: '' }
  const connections = async (): Promise<number[]> => {
    const { gateways } = await getJson<{
      gateways: { pod: string; connections: { websocket: number; polling: number } }[]
    }>(`${url}/v1/gateways`)
    return gateways.map(({ connections: { websocket, polling } }) => websocket + polling)
  }
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
  await until('to begin', async () => (await connections()).some((n) => n > 1 && n < MEMBERS))
  // Without a cookie nobody is turned away, whatever is going on.
  await keep(joinRoom(`http://${full}`, 'shed', 'anew', { reconnection: false }))
  const isEven = async (): Promise<boolean> => {
    const [a = 0, b = 0] = await connections()
    return a + b === MEMBERS + 2 && Math.abs(a - b) <= 2 * 20
  }
  await until('an even load', isEven, 30_000)
  await until('everybody', () => members.every(({ socket }) => socket.connected), 30_000)
  isOver = true
  await talk

  for (const member of members) {
    await member.got('the last message', says(`${sent - 1}`))
    const first = Number(member.texts()[0])
    expect(member.texts()).toEqual(Array.from({ length: sent - first }, (_, i) => `${first + i}`))
    expect(member.received.some(({ message }) => message.event === 'broadcast_quit')).toBe(false)
  }
  const moved = members.filter(({ socket }) => socket.recovered)
  expect(moved.length).toBeGreaterThanOrEqual(20)
  const metrics = await (await fetch(`${deployment.gateways[0]?.metricsUrl}/metrics`)).text()
  const shed = Number(/closed_total\{.*reason="shed".*\} (\d+)/.exec(metrics)?.[1])
  expect(shed).toBeGreaterThanOrEqual(20)
  expect(shed).toBeLessThanOrEqual(MEMBERS / 2)
}, 90_000)
