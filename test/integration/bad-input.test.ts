import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Refusal } from '@roomcast/protocol'
import { WebSocket } from 'ws'
import {
  connectClient,
  joinRoom,
  says,
  type ClientOptions,
  type TestClient,
} from '../support/clients.ts'
import { startDeployment, type Deployment } from '../support/deployment.ts'
import { until } from '../support/processes.ts'

let deployment: Deployment
let url: string
/** A member who must not notice anything. */
let witness: TestClient
const clients: TestClient[] = []
const keep = async (client: Promise<TestClient>): Promise<TestClient> => {
  clients.push(await client)
  return client
}

beforeAll(async () => {
  deployment = await startDeployment({
    gateways: 1,
    env: { SAY_BURST: '30', SAY_RATE_PER_SECOND: '5' },
  })
  url = deployment.gateways[0]?.url ?? ''
  witness = await joinRoom(url, 'witness', 'witness')
}, 60_000)
afterEach(async () => {
  // Nothing that a test did has disturbed anybody else: the same connection, and messages still arrive.
  const text = `still here ${Math.random()}`
  const other = await joinRoom(url, 'witness', 'other')
  expect(await other.ask('say', { text })).toMatchObject({ ok: true })
  await witness.got('a message', says(text))
  expect(witness.received.filter(({ message }) => message.event === 'error')).toEqual([])
  other.close()
  for (const client of clients.splice(0)) client.close()
})
afterAll(async () => {
  witness.close()
  await deployment[Symbol.asyncDispose]()
})

const refused = (code: string, message?: string): Partial<Refusal> => ({
  ok: false,
  code: code as Refusal['code'],
  ...(message === undefined ? {} : { message }),
})

describe('a bad room', () => {
  it.each([
    ['none', {}, 'no_room'],
    ['an empty one', { query: { roomid: '' } }, 'invalid'],
    ['one too long', { query: { roomid: 'x'.repeat(129) } }, 'invalid'],
    ['one with a control character', { query: { roomid: 'a\u0000b' } }, 'invalid'],
    ['a dot', { query: { roomid: '.' } }, 'invalid'],
  ])(
    '%s: every request is refused, and the connection stays',
    async (_, options: ClientOptions, code) => {
      const client = await keep(connectClient(url, options))
      expect(await client.ask('join', { username: 'alice' })).toMatchObject(refused(code))
      expect(await client.ask('say', { text: 'hello' })).toMatchObject(refused(code))
      expect(await client.ask('history', {})).toMatchObject(refused(code))
      expect(await client.ask('members', {})).toMatchObject(refused(code))
      expect(await client.ask('leave')).toMatchObject(refused(code))
      expect(client.socket.connected).toBe(true)
    },
  )

  it.each(['/rooms/', '/rooms/..', '/rooms/%E0%A4%A', `/rooms/${'x'.repeat(129)}`, '/elsewhere'])(
    'as the namespace %s is refused for good, and the main namespace of that connection stays',
    async (namespace) => {
      const client = await keep(joinRoom(url, 'bad namespaces', 'alice'))
      const socket = client.socket.io.socket(namespace)
      const reason = new Promise<Error>((resolve) => {
        socket.once('connect_error', resolve)
      })
      socket.connect()
      expect((await reason).message).toBe('Invalid namespace')
      expect(await client.ask('say', { text: 'hello' })).toMatchObject({ ok: true })
    },
  )
})

describe('a bad join', () => {
  it.each([
    [undefined],
    [null],
    ['alice'],
    [{}],
    [{ username: '' }],
    [{ username: '   ' }],
    [{ username: 'x'.repeat(65) }],
    [{ username: 'a\u0007b' }],
    [{ username: 7 }],
    [{ username: { toString: 'alice' } }],
    [['alice']],
  ])('is refused: %j', async (request) => {
    const client = await keep(connectClient(url, { room: 'bad joins' }))
    expect(await client.ask('join', request)).toMatchObject(refused('invalid'))
    expect(await client.ask('join', { username: 'alice' })).toMatchObject({ ok: true })
  })

  it('twice under one name is answered alike, under another refused', async () => {
    const client = await keep(joinRoom(url, 'twice', 'alice'))
    expect(await client.ask('join', { username: 'alice' })).toMatchObject({
      ok: true,
      username: 'alice',
    })
    expect(await client.ask('join', { username: 'mallory' })).toMatchObject(
      refused('already_joined'),
    )
    await client.ask('say', { text: 'who am I' })
    const { message } = await client.got('the message', says('who am I'))
    expect(message.data).toMatchObject({ username: 'alice' })
    expect(client.received.filter(({ message: m }) => m.event === 'join')).toHaveLength(1)
  })
})

describe('a bad say', () => {
  const nest = (depth: number): unknown => (depth === 0 ? 1 : { a: nest(depth - 1) })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'hello'],
    ['no text', {}],
    ['an empty text', { text: '' }],
    ['4,097 bytes', { text: 'a'.repeat(4_097) }],
    ['4,098 bytes in 2,049 characters', { text: 'é'.repeat(2_049) }],
    ['a number as text', { text: 7 }],
    ['binary', Buffer.from('hello')],
    ['a binary text', { text: Buffer.from('hello') }],
    ['binary data', { text: 'a', data: { x: Buffer.from('hello') } }],
    ['deep data', { text: 'a', data: nest(33) }],
    ['very deep data', { text: 'a', data: nest(3_000) }],
    ['much data', { text: 'a', data: 'x'.repeat(16_385) }],
    ['a type that is no number or short string', { text: 'a', type: ['x'] }],
    ['an id that is no string', { text: 'a', id: 7 }],
  ])('with %s is refused in its acknowledgement', async (_, request) => {
    const client = await keep(joinRoom(url, 'bad says', 'alice'))
    expect(await client.ask('say', request)).toMatchObject(refused('invalid'))
    expect(await client.ask('say', { text: 'a good one' })).toMatchObject({ ok: true })
  })

  it('without an acknowledgement is refused by an error message to that socket alone', async () => {
    const client = await keep(joinRoom(url, 'bad says 2', 'alice'))
    const other = await keep(joinRoom(url, 'bad says 2', 'bob'))
    client.socket.emit('say', { text: '' })
    const { message, offset } = await client.got('an error', ({ event }) => event === 'error')
    expect(message.data).toEqual({ code: 'invalid', message: 'text must have 1 to 4096 bytes' })
    expect(offset).toBeUndefined()
    expect(other.received.some(({ message: m }) => m.event === 'error')).toBe(false)
  })

  it('before the join waits, and is refused when no join comes', async () => {
    const client = await keep(connectClient(url, { room: 'no join' }))
    const started = Date.now()
    expect(await client.ask('say', { text: 'hello' })).toMatchObject(refused('not_joined'))
    expect(Date.now() - started).toBeGreaterThan(500)
    expect(await client.ask('say', { text: 'hello' })).toMatchObject(refused('not_joined'))
  })

  it('is not kept beyond the sixteenth before a join', async () => {
    const client = await keep(connectClient(url, { room: 'many before the join' }))
    const answers = Promise.all(
      Array.from({ length: 17 }, (_, i) => client.ask('say', { text: `${i}` })),
    )
    await client.ask('join', { username: 'alice' })
    expect((await answers).map(({ ok }) => ok)).toEqual([...Array<boolean>(16).fill(true), false])
    expect((await answers)[16]).toMatchObject(refused('busy'))
  })

  it('too often is told when the next is taken', async () => {
    const client = await keep(joinRoom(url, 'rate', 'alice'))
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => client.ask('say', { text: `${i}` })),
    )
    const refusals = answers.filter(({ ok }) => !ok)
    expect(answers.slice(0, 30).every(({ ok }) => ok)).toBe(true)
    expect(refusals.length).toBeGreaterThan(5)
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
    }
  })

  it("that may pass is left unanswered for a client that uses Socket.IO's retries", async () => {
    const client = await keep(joinRoom(url, 'retries', 'alice', { auth: { retries: true } }))
    let answers = 0
    for (let i = 0; i < 40; i++) client.socket.emit('say', { text: `${i}` }, () => answers++)
    await until('the answers to what was taken', () => answers === 30)
    expect(await client.ask('say', { text: '' })).toMatchObject(refused('invalid'))
    expect(answers).toBe(30)
  })
})

describe('other bad requests', () => {
  it.each([
    [{ limit: 0 }, 'invalid'],
    [{ limit: 'all' }, 'invalid'],
    [{ after: 'nonsense' }, 'invalid_offset'],
    [{ before: 7 }, 'invalid'],
    [{ before: 'a:1', after: 'a:1' }, 'invalid'],
    [{ after: 'nowhere:1' }, 'offset_gone'],
    ['latest', 'invalid'],
  ])('history %j is refused with %s', async (request, code) => {
    const client = await keep(joinRoom(url, 'bad history', 'alice'))
    expect(await client.ask('history', request)).toMatchObject(refused(code))
  })

  it.each([{ limit: 0 }, { limit: 501 }, { limit: 1.5 }, 'all'])(
    'members %j is refused',
    async (request) => {
      const client = await keep(joinRoom(url, 'bad members', 'alice'))
      expect(await client.ask('members', request)).toMatchObject(refused('invalid'))
    },
  )

  it('members too often is told when the next is answered', async () => {
    const client = await keep(joinRoom(url, 'often', 'alice'))
    const answers = await Promise.all(Array.from({ length: 12 }, () => client.ask('members')))
    const late = answers.filter(({ ok }) => !ok)
    expect(late.length).toBeGreaterThan(0)
    for (const answer of late) expect(answer).toMatchObject({ code: 'rate_limited' })
  })

  it('history without an acknowledgement has nobody to answer', async () => {
    const client = await keep(joinRoom(url, 'bad history', 'alice'))
    client.socket.emit('history', {})
    await client.got('an error', ({ event }) => event === 'error')
  })

  it.each(['nonsense', '__proto__', 'toString', 'message'])(
    'an unknown event %j is told so',
    async (event) => {
      const client = await keep(joinRoom(url, 'unknown events', 'alice'))
      expect(await client.ask(event, { x: 1 })).toMatchObject(refused('not_found'))
      expect(client.socket.connected).toBe(true)
    },
  )

  it('leave without a join is refused', async () => {
    const client = await keep(connectClient(url, { room: 'no join' }))
    expect(await client.ask('leave')).toMatchObject(refused('not_joined'))
  })
})

describe('what is not Socket.IO', () => {
  const endpoint = (query = ''): string =>
    `${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket${query}`

  it.each([
    ['a packet of an unknown type', '4x'],
    ['an event that is no JSON', '42["say",{'],
    ['an event without a name', '42[]'],
    ['an event whose name is no string', '42[{}]'],
    ['a binary event without its parts', '451-["say",{"_placeholder":true,"num":7}]'],
    ['an engine packet of an unknown type', '9'],
    [
      'JSON that is nested 50,000 levels',
      `42["say",{"text":"a","data":${'['.repeat(50_000)}${']'.repeat(50_000)}}]`,
    ],
  ])('%s ends that connection at most', async (_, packet) => {
    const ws = new WebSocket(endpoint('&roomid=raw'))
    await new Promise((resolve) => {
      ws.once('open', resolve)
    })
    ws.send('40')
    ws.send(packet)
    ws.close()
    await until('the end of the connection', () => ws.readyState === WebSocket.CLOSED)
  })

  it('a packet over the limit ends that connection', async () => {
    const ws = new WebSocket(endpoint('&roomid=raw'))
    const code = new Promise<number>((resolve) => {
      ws.once('close', resolve)
    })
    ws.once('open', () => ws.send(`42["say",{"text":"${'x'.repeat(200_000)}"}]`))
    expect(await code).toBe(1009)
  })

  it('a polling body over the limit is refused', async () => {
    const open = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text()
    const { sid } = JSON.parse(open.slice(1)) as { sid: string }
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, {
      method: 'POST',
      body: `42["say",{"text":"${'x'.repeat(200_000)}"}]`,
    })
    expect(response.status).toBe(413)
  })

  it.each([
    ['an unknown session', 'EIO=4&transport=polling&sid=nobody', 400],
    ['an unknown transport', 'EIO=4&transport=pigeon', 400],
  ])('%s is a clear HTTP error', async (_, query, status) => {
    const response = await fetch(`${url}/socket.io/?${query}`)
    expect(response.status).toBe(status)
    expect(await response.json()).toHaveProperty('message')
  })

  it.each([
    '/nowhere',
    '/static/chat/../../package.json',
    '/static/chat/%2e%2e/%2e%2e/package.json',
  ])('the path %s is not found', async (path) => expect((await fetch(url + path)).status).toBe(404))
})
