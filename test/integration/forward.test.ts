import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { WebSocket } from 'ws'
import { joinRoom } from '../support/clients.ts'
import { startDeployment, type Deployment, type TestService } from '../support/deployment.ts'
import { PATIENCE_MS, until, within } from '../support/processes.ts'

const PING_MS = 1_000
const BRISK = { PING_INTERVAL_MS: String(PING_MS), PING_TIMEOUT_MS: String(PING_MS) }
/** When an owner that says nothing counts as gone: both times of the ping, and a second. */
const SILENCE_MS = 2 * PING_MS + 1_000
const MAX_PAYLOAD_BYTES = 1_000_000

const suite = new AsyncDisposableStack()
let deployment: Deployment
/** Holds the sessions of these tests. */
let owner: TestService
/** Gets their requests. */
let other: TestService

beforeAll(async () => {
  deployment = suite.use(
    await startDeployment({
      gateways: 2,
      env: {
        MAX_PAYLOAD_BYTES: String(MAX_PAYLOAD_BYTES),
        SLOW_CLIENT_BYTES: '1048576',
        SAY_RATE_PER_SECOND: '100000',
        SAY_BURST: '100000',
      },
    }),
  )
  const [first, second] = deployment.gateways
  if (first === undefined || second === undefined) throw new Error('two gateways were asked for')
  ;[owner, other] = [first, second]
}, 60_000)
afterAll(() => suite.disposeAsync())

interface Session {
  readonly sid: string
  /** Where its polls are to go, at the other gateway. */
  readonly stray: string
}

/** A polling session at the owner, seen from the other gateway. */
async function openSession(version = 4, query = '', at = { owner, other }): Promise<Session> {
  const path = `/socket.io/?EIO=${version}&transport=polling${query}`
  const packet = await (await fetch(`${at.owner.url}${path}`)).text()
  const [, sid = ''] = /"sid":"([^"]+)"/.exec(packet) ?? []
  return { sid, stray: `${at.other.url}${path}&sid=${sid}` }
}

const post = (url: string, body: string): Promise<Response> => fetch(url, { method: 'POST', body })

/** Polls until a packet matches, and answers pings. */
async function pollUntil(url: string, pattern: RegExp): Promise<string> {
  return until(`a packet that matches ${pattern}`, async () => {
    const packets = (await (await fetch(url)).text()).split('\x1e')
    if (packets.includes('2')) await post(url, '3')
    return packets.find((packet) => pattern.test(packet))
  })
}

describe('a polling request that is sent on to its owner', () => {
  it('has a body as large as the limit, and the refusal of a larger one comes back', async () => {
    const { stray } = await openSession()
    expect((await post(stray, '40')).status).toBe(200)
    const head = '42["unknown","'
    const body = `${head}${'x'.repeat(MAX_PAYLOAD_BYTES - head.length - 2)}"]`
    const taken = await post(stray, body)
    expect([taken.status, await taken.text()]).toEqual([200, 'ok'])
    await pollUntil(stray, /not_found/)
    expect((await post(stray, `${body} `)).status).toBe(413)
  })

  it('is answered whole to a proxy that speaks HTTP/1.0, which knows no chunks', async () => {
    const { stray } = await openSession(4, '&roomid=old-proxy')
    await post(stray, '40')
    await post(stray, '420["join",{"username":"alice"}]')
    await pollUntil(stray, /^430/)
    const says = Array.from(
      { length: 20 },
      (_, i) => `42["say",{"text":"${i} ${'x'.repeat(200)}"}]`,
    )
    await post(stray, says.join('\x1e'))
    await pollUntil(stray, /19 x/)
    await post(stray, '421["history",{"limit":50}]')
    const { host, pathname, search } = new URL(stray)
    const socket = connect(Number(new URL(stray).port), '127.0.0.1')
    socket.write(
      `GET ${pathname}${search} HTTP/1.0\r\nHost: ${host}\r\nAccept-Encoding: gzip\r\n\r\n`,
    )
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await within(5_000, 'the end of the answer', once(socket, 'end'))
    socket.destroy()
    const answer = Buffer.concat(chunks)
    const end = answer.indexOf('\r\n\r\n') + 4
    const head = answer.subarray(0, end).toString().toLowerCase()
    expect(head).toMatch(/^http\/1\.1 200/)
    expect(head).not.toContain('transfer-encoding')
    expect(head).toContain('content-encoding: gzip')
    const body = await new Response(
      new Blob([answer.subarray(end)]).stream().pipeThrough(new DecompressionStream('gzip')),
    ).text()
    expect(body).toMatch(/^431\[/)
  })

  it('ends its session when its client gives it up', async () => {
    const { stray } = await openSession()
    const controller = new AbortController()
    const poll = fetch(stray, { signal: controller.signal })
    // Has the way of the poll behind it, so the poll is there too.
    expect((await post(stray, '3')).status).toBe(200)
    const aborted = expect(poll).rejects.toThrow('aborted')
    controller.abort()
    await aborted
    // Where it is not ended this poll is held until the next ping.
    expect((await within(PATIENCE_MS, 'an answer', fetch(stray))).status).toBe(400)
  })
})

describe('an upgraded connection that is sent on to its owner', () => {
  it('that its client stops reading is ended by the owner: nothing piles up on the way without bound', async () => {
    const { sid, stray } = await openSession(4, '&roomid=slow')
    await post(stray, '40')
    await post(stray, '420["join",{"username":"slow"}]')
    await pollUntil(stray, /^430/)
    const ws = new WebSocket(
      `${other.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&sid=${sid}`,
    )
    await once(ws, 'open')
    ws.send('2probe')
    await once(ws, 'message')
    ws.send('5')
    await until('the upgrade', async () => (await fetch(stray)).status === 400)
    ws.pause()
    const sender = await joinRoom(owner.url, 'slow', 'sender')
    const data = 'x'.repeat(15_000)
    await until(
      'the end of the slow connection',
      async () => {
        await Promise.all(
          Array.from({ length: 100 }, () => sender.ask('say', { text: 'more', data })),
        )
        const metrics = await (await fetch(`${owner.metricsUrl}/metrics`)).text()
        return /closed_total\{[^}]*reason="slow"[^}]*\} 1/.test(metrics)
      },
      30_000,
    )
    ws.terminate()
    sender.close()
  })
})

describe('a poll that its own client’s close has overtaken on another way', () => {
  it.each([
    [4, '1', '6'],
    [3, '1:1', '1:6'],
  ])('is answered like one that was there, in version %i', async (version, close, noop) => {
    const { stray } = await openSession(version)
    if (version === 3) await (await fetch(stray)).text()
    expect((await post(stray, close)).status).toBe(200)
    const poll = await fetch(stray)
    expect([poll.status, await poll.text()]).toEqual([200, noop])
    expect((await fetch(stray)).status).toBe(400)
  })
})

describe('an owner that stands still without a word', () => {
  it('costs its polls and upgraded connections the time after which it must have pinged, and no more', async () => {
    const [doomed, witness] = await Promise.all([1, 2].map(() => deployment.addGateway(BRISK)))
    if (doomed === undefined || witness === undefined)
      throw new Error('two gateways were asked for')
    const at = { owner: doomed, other: witness }
    const polling = await openSession(4, '', at)
    const upgrading = await openSession(4, '', at)
    const ws = new WebSocket(
      upgrading.stray.replace('http', 'ws').replace('transport=polling', 'transport=websocket'),
    )
    await once(ws, 'open')
    ws.send('2probe')
    await once(ws, 'message')
    ws.send('5')
    // What is underway is known to have arrived there.
    await until('the upgrade', async () => (await fetch(upgrading.stray)).status === 400)
    const closed = once(ws, 'close')
    const poll = fetch(polling.stray)
    expect((await post(polling.stray, '40')).status).toBe(200)
    await (await poll).text()
    doomed.signal('SIGSTOP')
    try {
      const stopped = performance.now()
      const response = await within(SILENCE_MS + 2_000, 'an answer', fetch(polling.stray))
      expect([response.status, await response.json()]).toEqual([
        400,
        { code: 1, message: 'Session ID unknown' },
      ])
      await within(SILENCE_MS, 'the end of the websocket', closed)
      expect(performance.now() - stopped).toBeGreaterThan(PING_MS)
    } finally {
      doomed.signal('SIGCONT')
    }
  })
})
