import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { residentBytes } from '../../scripts/bench/process-usage.ts'
import { connectClient, joinRoom, says, type TestClient } from '../support/clients.ts'
import { startDeployment, type Deployment, type TestService } from '../support/deployment.ts'
import { until } from '../support/processes.ts'
import {
  closeCodeOf,
  frame,
  openRaw,
  openRawWebSocket,
  rawExchange,
  type RawConnection,
} from '../support/raw-http.ts'

const MIB = 1_048_576
/** The heap that the gateway has: with a bound missing somewhere it would end for want of memory. */
const HEAP_MIB = 160
/** What it may have grown by after an attack, its buffers included: what it holds is far less; the rest is what the collector has not looked at. */
const SLACK_BYTES = 224 * MIB
const HEADERS_TIMEOUT_MS = 1_000
const MAX_PAYLOAD_BYTES = 131_072

let deployment: Deployment
let gateway: TestService
let broker: TestService
let url: string
let residentBefore = 0
/** A member who must not notice anything. */
let witness: TestClient
const open: { [Symbol.dispose](): void }[] = []
const keep = async <T extends { [Symbol.dispose](): void }>(item: Promise<T>): Promise<T> => {
  open.push(await item)
  return item
}

beforeAll(async () => {
  deployment = await startDeployment({
    gateways: 1,
    env: {
      // Whatever is logged at all is logged.
      LOG_LEVEL: 'debug',
      HEADERS_TIMEOUT_MS: String(HEADERS_TIMEOUT_MS),
      REQUEST_TIMEOUT_MS: '2000',
      CONNECT_TIMEOUT_MS: '1000',
      JOIN_RATE_PER_SECOND: '1000',
      // As they are by default: what floods is refused by them.
      SAY_RATE_PER_SECOND: '20',
      SAY_BURST: '40',
    },
    nodeArgs: (service) => (service === 'gateway' ? [`--max-old-space-size=${HEAP_MIB}`] : []),
  })
  const [first, second] = [deployment.gateways[0], deployment.brokers[0]]
  if (first === undefined || second === undefined) throw new Error('a deployment without services')
  gateway = first
  broker = second
  url = gateway.url
  witness = await joinRoom(url, 'witness', 'witness')
  residentBefore = await residentBytes(gateway.child.pid ?? 0)
}, 60_000)

afterEach(async () => {
  for (const item of open.splice(0)) item[Symbol.dispose]()
  // The process is the same, others are served, and what the attack took is bounded.
  const text = `still here ${Math.random()}`
  const other = await joinRoom(url, 'witness', 'other')
  expect(await other.ask('say', { text })).toMatchObject({ ok: true })
  const { message } = await witness.got('a message', says(text))
  expect(Object.keys(message.data as object).toSorted()).toEqual(['text', 'username'])
  expect(witness.received.filter(({ message: { event } }) => event === 'error')).toEqual([])
  other.close()
  expect(gateway.child.exitCode).toBeNull()
  const grown = (await residentBytes(gateway.child.pid ?? 0)) - residentBefore
  expect(grown).toBeLessThan(SLACK_BYTES)
})

afterAll(async () => {
  witness.close()
  await deployment[Symbol.asyncDispose]()
})

const metric = async (pattern: RegExp): Promise<number> => {
  const text = await (await fetch(`${gateway.metricsUrl}/metrics`)).text()
  return Number(pattern.exec(text)?.[1] ?? NaN)
}
const closedBy = (reason: string): Promise<number> =>
  metric(new RegExp(`^roomcast_gateway_closed_total{reason="${reason}"[^}]*} (\\d+)`, 'm'))
const connections = async (): Promise<number> =>
  (await metric(/^roomcast_gateway_connections{transport="websocket"[^}]*} (\d+)/m)) +
  (await metric(/^roomcast_gateway_connections{transport="polling"[^}]*} (\d+)/m))

const host = (): string => new URL(url).host
const POLLING = '/socket.io/?EIO=4&transport=polling'

/** A new polling session, as a client without cookies has it: its id is all. */
async function openPolling(): Promise<string> {
  const answer = await (await fetch(`${url}${POLLING}`)).text()
  return `${POLLING}&sid=${/"sid":"([^"]+)"/.exec(answer)?.[1]}`
}

describe('slow requests', () => {
  it.each([
    ['nothing at all', () => ''],
    ['a head in drops', () => `GET / HTTP/1.1\r\nHost: ${host()}\r\nX-`],
  ])(
    '%s: 200 half open connections are closed when their time is over',
    async (_, text) => {
      const attackers = await Promise.all(Array.from({ length: 200 }, () => keep(openRaw(url))))
      const drip = setInterval(() => {
        for (const { socket } of attackers)
          if (!socket.destroyed && text() !== '') socket.write('a')
      }, 100)
      for (const attacker of attackers) if (text() !== '') attacker.send(text())
      try {
        const answers = await Promise.all(attackers.map((attacker) => attacker.closed(20_000)))
        for (const answer of answers) expect(answer).toMatch(/^$|^HTTP\/1\.1 408 /)
      } finally {
        clearInterval(drip)
      }
    },
    40_000,
  )

  it('a body in drops: 100 are answered 408', async () => {
    const attackers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const session = await openPolling()
        const attacker = await keep(openRaw(url))
        attacker.send(
          `POST ${session} HTTP/1.1\r\nHost: ${host()}\r\nContent-Length: 1000\r\n\r\n4`,
        )
        return attacker
      }),
    )
    const drip = setInterval(() => {
      for (const { socket } of attackers) if (!socket.destroyed) socket.write('0')
    }, 100)
    try {
      const answers = await Promise.all(attackers.map((attacker) => attacker.closed(20_000)))
      for (const answer of answers) expect(answer).toMatch(/^$|^HTTP\/1\.1 4\d\d /)
    } finally {
      clearInterval(drip)
    }
  }, 40_000)

  it('connections that never enter a namespace are closed', async () => {
    for (let i = 0; i < 50; i++) await openPolling()
    expect(await connections()).toBeGreaterThanOrEqual(50)
    await until('the end of those', async () => (await connections()) <= 1)
  })
})

describe('a malformed frame ends its connection', () => {
  it.each<[string, () => Buffer, number | undefined]>([
    ['of an unknown kind', () => frame(3, 'x'), 1002],
    ['without a mask', () => frame(1, '2', { isMasked: false }), 1002],
    ['compressed, which was not agreed', () => frame(1, '2', { rsv: 4 }), 1002],
    ['with a reserved bit', () => frame(1, '2', { rsv: 1 }), 1002],
    ['not UTF-8', () => frame(1, Buffer.from([0x34, 0x32, 0xc3, 0x28])), 1007],
    ['that says it is 200 KB', () => frame(1, '4', { length: 200_000 }), 1009],
    ['that says it is 2^53 bytes', () => frame(1, '4', { length: 2 ** 53 }), 1009],
    ['a ping that is too long', () => frame(9, 'x'.repeat(126)), 1002],
    ['a ping in parts', () => frame(9, 'x', { isFinal: false }), 1002],
    ['a part of nothing', () => frame(0, 'x'), 1002],
    [
      'in parts that never end',
      () =>
        Buffer.concat([
          frame(1, 'x', { isFinal: false }),
          ...Array.from({ length: 20 }, () => frame(0, 'x'.repeat(10_000), { isFinal: false })),
        ]),
      1009,
    ],
    [
      'in 20,000 empty parts',
      () =>
        Buffer.concat([
          frame(1, '', { isFinal: false }),
          ...Array.from({ length: 20_000 }, () => frame(0, '', { isFinal: false })),
        ]),
      1008,
    ],
    ['not a packet', () => frame(1, '9'), undefined],
    ['not a packet of Socket.IO', () => frame(1, '49'), undefined],
    ['a packet whose JSON is none', () => frame(1, '42["say",{'), undefined],
    ['an event without a name', () => frame(1, '42[]'), undefined],
    ['a reserved event', () => frame(1, '42["disconnecting"]'), undefined],
    [
      'an event for a namespace that it has not entered',
      () => frame(1, '42/rooms/x,["say"]'),
      undefined,
    ],
    ['an event that promises a million parts', () => frame(1, '451000000-["say"]'), undefined],
    [
      'text where a part is promised',
      () =>
        Buffer.concat([
          frame(1, '451-["say",{"_placeholder":true,"num":0}]'),
          frame(1, '42["say"]'),
        ]),
      undefined,
    ],
    ['a part that nobody promised', () => frame(2, 'x'), undefined],
    [
      'placeholders of parts that do not exist',
      () => Buffer.concat([frame(1, '451-["say",{"_placeholder":true,"num":5}]'), frame(2, 'x')]),
      undefined,
    ],
  ])('%s', async (_, bytes, code) => {
    const attacker = await keep(openRawWebSocket(url, { query: '&roomid=attacked' }))
    attacker.send(bytes())
    await attacker.closed()
    if (code !== undefined) expect(closeCodeOf(attacker.received())).toBe(code)
  })

  it.each([
    [
      'an acknowledgement with a number of 100,000 digits',
      `42${'9'.repeat(100_000)}["join",{"username":"x"}]`,
    ],
    ['an acknowledgement that nobody asked for', '4399["x"]'],
    [
      'data of 60,000 levels',
      `42["say",{"text":"x","data":${'['.repeat(60_000)}${']'.repeat(60_000)}}]`,
    ],
    ['an event name of 100 KB', `421["${'x'.repeat(100_000)}"]`],
  ])('%s does no harm', async (_, packet) => {
    const attacker = await keep(openRawWebSocket(url, { query: '&roomid=attacked' }))
    attacker.send(frame(1, packet))
    attacker.send(frame(1, '421["history",{}]'))
    await until('an answer to the next event', () => attacker.text().includes('431[{"ok":'))
  })
})

describe('a malformed request', () => {
  const post = (session: string, body: BodyInit, headers: Record<string, string> = {}) =>
    fetch(`${url}${session}`, { method: 'POST', body, headers })

  it.each([
    ['nothing that is a packet', 'x', {}, 200],
    ['200 KB', '4'.repeat(200_000), {}, 413],
    [
      'binary, which version 4 does not know',
      '4x',
      { 'content-type': 'application/octet-stream' },
      400,
    ],
    [
      'a gzip of 50 MB',
      new Uint8Array(gzipSync(Buffer.alloc(50 * MIB))),
      { 'content-encoding': 'gzip' },
      200,
    ],
  ])('%s as polling body ends the session', async (_, body, headers, status) => {
    const session = await openPolling()
    const answer = await post(session, body, headers as Record<string, string>).catch(
      () => undefined,
    )
    // The answer to a body that is too large may come before it is all sent.
    if (answer !== undefined) expect(answer.status).toBe(status)
    if (status !== 413) expect((await fetch(`${url}${session}`)).status).toBe(400)
  })

  it.each([
    ['EIO=5&transport=polling'],
    ['transport=polling'],
    ['EIO=4&transport=carrier-pigeon'],
    ['EIO=4&transport=__proto__'],
    ['EIO=4&transport=webtransport'],
    ['EIO=4&transport=polling&sid=__proto__'],
    ['EIO=4&transport=polling&sid=constructor'],
    ['EIO=4&transport=websocket'],
  ])('%s gets 400', async (query) => {
    expect((await fetch(`${url}/socket.io/?${query}`)).status).toBe(400)
  })

  it.each([
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef'],
    ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['chunks by another name', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
    [
      'chunks that are not the last coding',
      'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    ],
    ['a length that is no number', 'Content-Length: +5\r\n\r\nabcde'],
    ['a space before the colon', 'Content-Length : 5\r\n\r\nabcde'],
    ['a chunk size that is too large', 'Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx'],
    ['a line break in a header', 'X-A: b\nContent-Length: 5\r\n\r\nabcde'],
  ])(
    '%s: 400 from the gateway and from the broker, and nothing after it is read',
    async (_, rest) => {
      for (const service of [gateway, broker]) {
        const smuggled = 'GET /openapi.json HTTP/1.1\r\nHost: inside\r\n\r\n'
        const answer = await rawExchange(
          service.url,
          `POST /v1/messages HTTP/1.1\r\nHost: x\r\n${rest}${smuggled}`,
        )
        expect(answer).toMatch(/^HTTP\/1\.1 400 /)
        expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1)
      }
    },
  )

  it('a head of 20 KB gets 431', async () => {
    const request = `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`
    expect(await rawExchange(url, request)).toMatch(/^HTTP\/1\.1 431 /)
  })
})

describe('compression', () => {
  it('can not be agreed for a websocket', async () => {
    const offered = await keep(
      openRawWebSocket(url, {
        headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
      }),
    )
    expect(offered.text()).toContain('HTTP/1.1 101 ')
    expect(offered.text().toLowerCase()).not.toContain('sec-websocket-extensions')
  })

  it('of a body is not undone by the HTTP APIs', async () => {
    const body = gzipSync(JSON.stringify({ username: 'x', text: 'x'.repeat(1_000) }))
    const answer = await fetch(`${broker.url}/v1/rooms/zip/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body,
    })
    expect(answer.status).toBe(400)
  })
})

describe('names of what every object has', () => {
  const POLLUTED = '{"type":"evil","id":"evil","data":"evil","polluted":true}'

  it('change nothing for anybody, wherever they stand', async () => {
    const attacker = await keep(
      openRawWebSocket(url, { query: '&roomid=polluted&__proto__=x&__proto__[type]=evil' }),
    )
    const evil = `"__proto__":${POLLUTED},"constructor":{"prototype":${POLLUTED}}`
    attacker.send(frame(1, `421["join",{"username":"__proto__",${evil}}]`))
    await until('the join', () => attacker.text().includes('431[{"ok":true'))
    attacker.send(frame(1, `422["say",{"text":"x","data":{${evil}},${evil}}]`))
    await until('the say', () => attacker.text().includes('432[{"ok":true'))
    attacker.send(frame(1, `423["history",{${evil}}]`))
    await until('the page', () => attacker.text().includes('433[{"ok":true'))
    attacker.send(frame(1, `424["__proto__",{${evil}}]`))
    attacker.send(frame(1, `425["constructor",{${evil}}]`))
    await until('a refusal', () => attacker.text().includes('435[{"ok":false'))
    attacker.send(frame(1, `40/rooms/__proto__,{${evil}}`))
    await until('a namespace', () => attacker.text().includes('40/rooms/__proto__,{"sid"'))
    attacker.send(frame(1, '42/rooms/__proto__,6["join",{"username":"constructor"}]'))
    await until('its join', () => attacker.text().includes('43/rooms/__proto__,6[{"ok":true'))
    attacker.send(frame(1, '40/__proto__,'))
    await until('a refusal of a namespace', () => attacker.text().includes('44/__proto__,'))

    for (const room of ['__proto__', 'constructor', 'toString']) {
      const member = await joinRoom(url, room, 'alice')
      expect(await member.ask('say', { text: 'plain' })).toMatchObject({ ok: true })
      const { message } = await member.got('its own', says('plain'))
      expect(message.data).toEqual({ username: 'alice', text: 'plain' })
      member.close()
    }
    const answer = await fetch(`${broker.url}/v1/rooms/polluted/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"username":"robot","text":"x","__proto__":${POLLUTED}}`,
    })
    expect(answer.status).toBe(400)
    const plain = await fetch(`${broker.url}/v1/rooms/polluted/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'robot', text: 'after it' }),
    })
    expect(plain.status).toBe(201)
  })
})

describe('what is written into logs', () => {
  it('is one JSON object a line, whatever names, rooms, headers and queries are', async () => {
    const evil = 'x\r\n{"level":"fatal","forged":true}\u001b[2J\u009b31m\u2028'
    const encoded = encodeURIComponent(evil)
    await rawExchange(
      url,
      `GET /socket.io/?EIO=4&transport=polling&roomid=${encoded} HTTP/1.1\r\nHost: x\r\nOrigin: http://evil\u001b[2J.example\r\nUser-Agent: \u001b[2J\r\nConnection: close\r\n\r\n`,
    )
    await rawExchange(
      url,
      `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nOrigin: http://evil"}.example\r\nConnection: close\r\n\r\n`,
    )
    const client = await connectClient(url, {
      room: '\u2028\u202e"}',
      query: { roomid: evil },
    })
    await client.ask('join', { username: evil })
    await client.ask('say', { text: evil })
    client.close()
    const odd = await joinRoom(url, '{"forged":true}\u2028\u202e', '{"forged":true}\u2028')
    odd.close()
    await fetch(`${broker.url}/v1/rooms/${encoded}/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: evil,
    })
    for (const service of [gateway, broker]) {
      const lines = service
        .output()
        .split('\n')
        .filter((line) => line !== '')
      expect(lines.length).toBeGreaterThan(3)
      for (const line of lines) {
        expect(JSON.parse(line)).toMatchObject({ service: expect.any(String) })
        expect(JSON.parse(line)).not.toHaveProperty('forged')
        // eslint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\u0000-\u001f]/)
      }
    }
  })
})

describe('the session of somebody else', () => {
  it('is not found by guessing: an id that no gateway made, or one with another end, costs no look-up', async () => {
    const session = await openPolling()
    const sid = /sid=(.*)$/.exec(session)?.[1] ?? ''
    const [random = '', instance = '', mac = ''] = sid.split('.')
    for (const guess of [
      `${random}.${instance}.${mac.slice(0, -2)}AA`,
      `${'A'.repeat(random.length)}.${instance}.${mac}`,
      `${random}.${'0'.repeat(instance.length)}.${mac}`,
      random,
      'A'.repeat(10_000),
    ]) {
      const answer = await fetch(`${url}${POLLING}&sid=${guess}`)
      expect([answer.status, await answer.json()]).toEqual([
        400,
        { code: 1, message: 'Session ID unknown' },
      ])
    }
    // It has 96 random bits, and the mac is over all of them.
    expect(Buffer.from(random, 'base64url')).toHaveLength(12)
  })

  it('who polls with a stolen id besides its owner ends the session, so that the owner notices and recovers', async () => {
    const session = await openPolling()
    expect((await fetch(`${url}${session}`, { method: 'POST', body: '40' })).status).toBe(200)
    await fetch(`${url}${session}`)
    const owner = fetch(`${url}${session}&t=1`)
    const thief = await keep(openRaw(url, '127.0.0.2'))
    thief.send(`GET ${session}&t=2 HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\n\r\n`)
    expect(await thief.closed()).toMatch(/^HTTP\/1\.1 400 /)
    await (await owner).text()
    expect((await fetch(`${url}${session}`)).status).toBe(400)
  })
})

describe('a flood', () => {
  const flooded = async (
    attacker: RawConnection,
    reason: string,
    send: () => void,
  ): Promise<void> => {
    const before = await closedBy(reason)
    while (!attacker.isClosed()) {
      if (attacker.socket.writableLength < MIB) send()
      await new Promise((resolve) => void setImmediate(resolve))
    }
    await until('the reason', async () => (await closedBy(reason)) > before)
  }

  it('of namespaces: a hundred are entered, the rest refused, and the connection is ended; nothing of it stays', async () => {
    const attacker = await keep(openRawWebSocket(url))
    let i = 0
    await flooded(attacker, 'flood', () => {
      const batch = Array.from({ length: 100 }, () => frame(1, `40/rooms/flood%20${i++},`))
      attacker.send(Buffer.concat(batch))
    })
    const text = attacker.text()
    expect(text.match(/40\/rooms\/flood%20\d+,\{"sid"/g)).toHaveLength(99)
    expect(text).toContain(
      '"message":"at most 100 rooms over one connection","data":{"code":"too_many"}',
    )
  })

  it('of namespaces in one polling body: as many are entered', async () => {
    const session = await openPolling()
    const body = ['40', ...Array.from({ length: 500 }, (_, i) => `40/rooms/at once ${i},`)]
    await fetch(`${url}${session}`, {
      method: 'POST',
      body: body.map((packet) => packet.replaceAll(' ', '%20')).join('\u001e'),
    })
    let got = ''
    await until('the refusal of the last', async () => {
      got += await (await fetch(`${url}${session}`)).text()
      return got.includes('44/rooms/at%20once%20499,')
    })
    expect(got.match(/(?<!4)40(\/rooms\/at%20once%20\d+,)?\{"sid"/g)).toHaveLength(100)
  })

  it('of coming and going in one namespace ends the connection', async () => {
    const attacker = await keep(openRawWebSocket(url))
    const round = Buffer.concat([frame(1, '40/rooms/door,'), frame(1, '41/rooms/door,')])
    while (!attacker.isClosed()) {
      attacker.send(round)
      await new Promise((resolve) => void setImmediate(resolve))
    }
  })

  it('of credentials is let go of: 100 namespaces with 100 KB each', async () => {
    const attackers = await Promise.all(
      Array.from({ length: 3 }, () => keep(openRawWebSocket(url))),
    )
    const auth = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
    for (const attacker of attackers) {
      for (let i = 0; i < 98; i++) attacker.send(frame(1, `40/rooms/auth${i},${auth}`))
    }
    for (const attacker of attackers) {
      await until('the last namespace', () => attacker.text().includes('40/rooms/auth97,'))
    }
  })

  it('of events: those over the rate are refused, and who goes on is ended', async () => {
    const attacker = await keep(openRawWebSocket(url, { query: '&roomid=events' }))
    const batch = Buffer.concat(Array.from({ length: 100 }, () => frame(1, '421["history",{}]')))
    // Ten seconds' worth and half as much again.
    for (let i = 0; i < 15; i++) attacker.send(batch)
    await until('a refusal', () => attacker.text().includes('"code":"rate_limited"'))
    expect(attacker.isClosed()).toBe(false)
    await flooded(attacker, 'flood', () => attacker.send(batch))
  })

  it('of bytes ends the connection', async () => {
    const attacker = await keep(openRawWebSocket(url, { query: '&roomid=bytes' }))
    const large = frame(1, `42["say",{"text":"${'x'.repeat(MAX_PAYLOAD_BYTES - 100)}"}]`)
    await flooded(attacker, 'flood', () => attacker.send(large))
  })

  it('of pings ends the connection, also when their answers are not read', async () => {
    const attacker = await keep(openRawWebSocket(url))
    attacker.socket.pause()
    const before = await closedBy('flood')
    const pings = Buffer.concat(Array<Buffer>(500).fill(frame(9, 'x'.repeat(125))))
    const timer = setInterval(() => attacker.socket.write(pings), 5)
    await until('the end', async () => (await closedBy('flood')) > before)
    clearInterval(timer)
  })

  it('of questions whose answers are not read ends the connection as slow', async () => {
    const writer = await joinRoom(url, 'pages', 'writer')
    for (let i = 0; i < 40; i++)
      expect(
        await writer.ask('say', { text: 'x'.repeat(4_000), data: 'x'.repeat(16_000) }),
      ).toMatchObject({ ok: true })
    writer.close()
    const attacker = await keep(openRawWebSocket(url, { query: '&roomid=pages' }))
    attacker.send(frame(1, '421["join",{"username":"mallory"}]'))
    await until('the join', () => attacker.text().includes('431[{"ok":true'))
    attacker.socket.pause()
    const before = await closedBy('slow')
    const timer = setInterval(() => attacker.send(frame(1, '422["history",{"limit":200}]')), 50)
    await until('the end', async () => (await closedBy('slow')) > before)
    clearInterval(timer)
  })
})
