import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { fileURLToPath } from 'node:url'
import {
  APPEND_CONTENT_TYPE,
  APPEND_PATH,
  AppendResponse,
  encodeAppendRequest,
  INTERNAL_TOKEN_HEADER,
  RoomId,
} from '@roomcast/protocol'
import { readEvents } from '../../services/broker/test/event-reader.ts'
import { INSTRUMENTED } from '../support/deployment.ts'
import { startProcess, until, within, type TestProcess } from '../support/processes.ts'
import { freePort, startRedis, type TestRedis } from '../support/redis.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TOKEN = 'a token that is long enough'

let redis: TestRedis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(async () => {
  await redis[Symbol.asyncDispose]()
})

function run(env: Record<string, string>): TestProcess {
  const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', ...INSTRUMENTED]
  return startProcess(process.execPath, [...args, 'services/broker/src/main.ts'], {
    cwd: ROOT,
    env,
  })
}

interface RunningBroker extends AsyncDisposable {
  readonly process: TestProcess
  readonly url: string
  readonly health: string
}

/** A broker as a process of its own, ready. */
async function startBroker(env: Record<string, string> = {}): Promise<RunningBroker> {
  const process = run({
    REDIS_URL: redis.url,
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: '0',
    INTERNAL_TOKEN: TOKEN,
    ...env,
  })
  const [, port, metricsPort] = await process.printed(/"port":(\d+),"metricsPort":(\d+)/)
  const health = `http://127.0.0.1:${metricsPort}`
  await until('the broker to be ready', async () => (await fetch(`${health}/readyz`)).ok)
  return {
    process,
    url: `http://127.0.0.1:${port}`,
    health,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  }
}

let rooms = 0
const newRoom = (): RoomId => RoomId.parse(`broker ${++rooms} of ${process.pid}`)
const pathOf = (broker: RunningBroker, room: RoomId, what: string): string =>
  `${broker.url}/v1/rooms/${encodeURIComponent(room)}/${what}`

const publish = (
  broker: RunningBroker,
  room: RoomId,
  text: string,
  id?: string,
): Promise<Response> =>
  fetch(pathOf(broker, room, 'messages'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'Alice', text, id }),
  })

describe('two brokers on one Redis', () => {
  let a: RunningBroker
  let b: RunningBroker
  beforeAll(async () => {
    ;[a, b] = await Promise.all([startBroker(), startBroker()])
  })
  afterAll(async () => {
    await a[Symbol.asyncDispose]()
    await b[Symbol.asyncDispose]()
  })

  it('show each other their messages, in one order', async () => {
    const room = newRoom()
    using onA = await readEvents(pathOf(a, room, 'stream'))
    using onB = await readEvents(pathOf(b, room, 'stream'))
    const all = Array.from({ length: 40 }, (_, i) => `${i}`)
    const answers = await Promise.all(
      all.map((text, i) => publish(i % 2 === 0 ? a : b, room, text)),
    )
    expect(answers.map(({ status }) => status)).toEqual(all.map(() => 201))
    await within(
      5_000,
      'all on both',
      Promise.all([onA, onB].map((on) => on.has(() => on.texts().length >= 40))),
    )
    expect(onA.events).toEqual(onB.events)
    expect(onA.texts().sort()).toEqual([...all].sort())
  })

  it('end a long poll on one by a message on the other', async () => {
    const room = newRoom()
    await publish(a, room, 'old')
    const poll = fetch(pathOf(a, room, 'messages?wait=55'))
    await until('the poll to wait', async () =>
      /^roomcast_broker_waiting_polls 1$/m.test(await (await fetch(`${a.health}/metrics`)).text()),
    )
    await publish(b, room, 'new')
    const { messages } = (await (await poll).json()) as { messages: { data: { text: string } }[] }
    expect(messages.map(({ data }) => data.text)).toEqual(['new'])
  })

  it('take a batch that a gateway sends again to the other once', async () => {
    const room = newRoom()
    const body = encodeAppendRequest([
      { room, producer: { id: 'g', first: 1 }, messages: [{ payload: '{"event":"join"}' }] },
    ])
    const append = async (to: RunningBroker, token = TOKEN) =>
      fetch(to.url + APPEND_PATH, {
        method: 'POST',
        headers: { 'content-type': APPEND_CONTENT_TYPE, [INTERNAL_TOKEN_HEADER]: token },
        body,
      })
    const first = AppendResponse.parse(await (await append(a)).json())
    expect(first.results).toMatchObject([{ status: 'appended', seqs: [1] }])
    expect(AppendResponse.parse(await (await append(b)).json())).toEqual(first)
    expect((await append(b, 'another token')).status).toBe(401)
  })

  it('let a stream go on at the other when one is killed, without loss or repetition, under traffic', async () => {
    await using doomed = await startBroker()
    const room = newRoom()
    const total = 400
    const first = await readEvents(pathOf(doomed, room, 'stream'))
    const saying = (async () => {
      for (let i = 0; i < total; i++) expect((await publish(b, room, `${i}`)).status).toBe(201)
    })()
    await within(
      5_000,
      'a part of it',
      first.has(() => first.texts().length >= 100),
    )
    doomed.process.signal('SIGKILL')
    await doomed.process.ended()
    await first.ended().catch(() => 'cut off')
    const before = first.texts()
    expect(before.length).toBeLessThan(total)
    using second = await readEvents(pathOf(b, room, 'stream'), {
      'last-event-id': first.lastEventId(),
    })
    await within(
      10_000,
      'the rest',
      second.has(() => before.length + second.texts().length >= total),
    )
    await saying
    expect([...before, ...second.texts()]).toEqual(Array.from({ length: total }, (_, i) => `${i}`))
  })
})

describe('a broker whose Redis is killed', () => {
  it('says so at once, and goes on by itself with its streams when Redis is back', async () => {
    await using own = await startRedis()
    await using broker = await startBroker({ REDIS_URL: own.url })
    const room = newRoom()
    using stream = await readEvents(pathOf(broker, room, 'stream'))
    expect((await publish(broker, room, 'before')).status).toBe(201)
    await own.kill()

    const killedAt = Date.now()
    const refused = await publish(broker, room, 'during', 'm1')
    expect(Date.now() - killedAt).toBeLessThan(1_000)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await refused.json()).toMatchObject({ code: 'unavailable', retryAfterMs: 1_000 })
    const reads = await Promise.all(
      ['messages', 'messages?wait=1', 'stream'].map((what) => fetch(pathOf(broker, room, what))),
    )
    expect(reads.map(({ status }) => status)).toEqual([503, 503, 503])
    // An outage of Redis is everybody's: no replica is better than another, so readiness does not flap.
    expect((await fetch(`${broker.health}/readyz`)).status).toBe(200)
    expect((await fetch(`${broker.health}/livez`)).status).toBe(200)

    await own.restart()
    await until('the broker to be ready', async () => (await fetch(`${broker.health}/readyz`)).ok)
    expect((await publish(broker, room, 'during', 'm1')).status).toBe(201)
    expect((await publish(broker, room, 'after')).status).toBe(201)
    await within(
      5_000,
      'what was said',
      stream.has(() => stream.texts().length >= 3),
    )
    expect(stream.texts()).toEqual(['before', 'during', 'after'])
    expect(stream.events.every(({ event }) => event === 'message')).toBe(true)
    const output = broker.process.output()
    expect(output.match(/"Redis is away/g)).toHaveLength(1)
    expect(output.match(/"Redis is back/g)).toHaveLength(1)
  })

  it('starts while Redis is away, and is ready when it comes', async () => {
    await using own = await startRedis()
    await own.kill()
    await using broker = run({
      REDIS_URL: own.url,
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_PORT: '0',
    })
    const [, metricsPort] = await broker.printed(/"metricsPort":(\d+)/)
    const ready = async () => (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).status
    expect(await ready()).toBe(503)
    await own.restart()
    await until('the broker to be ready', async () => (await ready()) === 200)
  })
})

describe('the process of a broker', () => {
  it('ends with status 0 on SIGTERM, its streams and polls ended and its requests answered', async () => {
    await using broker = await startBroker()
    const room = newRoom()
    const stream = await readEvents(pathOf(broker, room, 'stream'))
    const poll = fetch(pathOf(broker, room, 'messages?wait=55'))
    await until('the poll to wait', async () =>
      /^roomcast_broker_waiting_polls 1$/m.test(
        await (await fetch(`${broker.health}/metrics`)).text(),
      ),
    )
    broker.process.signal('SIGTERM')
    expect(await broker.process.ended(5_000)).toBe(0)
    expect(await (await poll).json()).toMatchObject({ messages: [], complete: true })
    await stream.ended()
  })

  it('answers every publisher truly when it is ended under traffic', async () => {
    await using broker = await startBroker()
    const room = newRoom()
    const acknowledged: string[] = []
    const publishers = Array.from({ length: 8 }, async (_, p) => {
      for (let i = 0; ; i++) {
        const answer = await publish(broker, room, `${p}-${i}`).catch(() => undefined)
        if (answer?.status !== 201) return
        acknowledged.push(`${p}-${i}`)
      }
    })
    await until('traffic', () => acknowledged.length > 50)
    broker.process.signal('SIGTERM')
    expect(await broker.process.ended(10_000)).toBe(0)
    await Promise.all(publishers)
    await using other = await startBroker()
    const kept: string[] = []
    for (let offset = '0:0', isMore = true; isMore;) {
      const page = (await (
        await fetch(pathOf(other, room, `messages?limit=200&after=${offset}`))
      ).json()) as {
        messages: { data: { text: string } }[]
        offset: string
      }
      kept.push(...page.messages.map(({ data }) => data.text))
      offset = page.offset
      isMore = page.messages.length > 0
    }
    expect(kept).toEqual(expect.arrayContaining(acknowledged))
    expect(new Set(kept).size).toBe(kept.length)
  })

  it('explains every fault of its environment and ends with status 78', async () => {
    await using broker = run({ PORT: 'many', API_KEYS: 'short', LOG_LEVEL: 'loud' })
    expect(await broker.ended()).toBe(78)
    for (const name of ['REDIS_URL', 'PORT', 'API_KEYS', 'LOG_LEVEL']) {
      expect(broker.output()).toContain(`  ${name}: `)
    }
    expect(broker.output()).not.toMatch(/short|at .*\.ts/)
  })

  it('shows its settings at its start, and no secret among them', async () => {
    await using broker = await startBroker({
      REDIS_URL: redis.url.replace('//', '//:a-password@'),
      API_KEYS: 'a-key-of-somebody,a-key-of-another',
    })
    expect(broker.process.output()).toContain('"HISTORY_SIZE":1000')
    expect(broker.process.output()).toContain('"REDIS_URL":"***"')
    expect(broker.process.output()).not.toMatch(/a-password|a-key|a token/)
  })

  it('explains a Redis URL that it cannot read', async () => {
    await using broker = run({ REDIS_URL: 'redis://:secret@host/nowhere' })
    expect(await broker.ended()).toBe(78)
    expect(broker.output()).toContain('REDIS_URL: must be redis://host:port')
    expect(broker.output()).not.toContain('secret')
  })

  it('says in one sentence that its port is taken, and ends with status 1', async () => {
    const port = await freePort()
    const env = { REDIS_URL: redis.url, HOST: '127.0.0.1', METRICS_PORT: '0', PORT: String(port) }
    await using first = run(env)
    await first.printed(/"port":\d+/)
    await using second = run(env)
    expect(await second.ended()).toBe(1)
    expect(second.output()).toContain(
      `roomcast broker: port ${port} on 127.0.0.1 is taken by another program: end it, or choose another port\n`,
    )
    expect(second.output()).not.toMatch(/ {4}at /)
  })
})
