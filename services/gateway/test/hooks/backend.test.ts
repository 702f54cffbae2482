import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import { createLog, startTelemetry, type Telemetry } from '@roomcast/runtime'
import { startHookBackend, type HookBackend } from '../../../../test/support/hook-backend.ts'
import { until } from '../../../../test/support/processes.ts'
import { createBackend, type Backend, type Question } from '../../src/hooks/backend.ts'
import { createHookFacts } from '../../src/hooks/hook-facts.ts'

const SECRET = Buffer.alloc(32, 3)
const question: Question = {
  event: 'say',
  room: RoomId.parse('lobby'),
  user: 'alice',
  name: 'alice',
  address: '10.0.0.1',
  text: 'hi',
}
/** A rewrite is a text of at most five characters here. */
const read = ({ text }: Readonly<Record<string, unknown>>): string | undefined =>
  typeof text === 'string' && text.length <= 5 ? text : undefined

let server: HookBackend
let telemetry: Telemetry
let backend: Backend
let nowMs: number

const open = (options: { timeoutMs?: number; concurrency?: number; queueMax?: number } = {}) =>
  createBackend({
    hook: 'say',
    url: `${server.url}/say?team=a`,
    gateway: 'gateway-1',
    secrets: () => [SECRET],
    timeoutMs: 10_000,
    concurrency: 8,
    queueMax: 8,
    answerMaxBytes: 16_384,
    ...options,
    facts: createHookFacts({ telemetry, hooks: ['say'], log: createLog('test', 'silent') }),
    now: () => 1_795_510_429_529,
    clock: () => nowMs,
  })

beforeEach(async () => {
  nowMs = 0
  server = await startHookBackend()
  telemetry = startTelemetry('gateway', 'test')
  backend = open()
})
afterEach(async () => {
  await backend.close()
  await server[Symbol.asyncDispose]()
  await telemetry.close()
})

describe('a question', () => {
  it('says what is to happen, in a request that is signed', async () => {
    await backend.ask(question, read)
    const [asked] = server.asked
    if (asked === undefined) throw new Error('nothing was asked')
    const { headers, text, body } = asked
    expect(body).toEqual({ ...question, gateway: 'gateway-1', id: headers['webhook-id'] })
    expect(headers['webhook-timestamp']).toBe('1795510429')
    const signed = `${String(headers['webhook-id'])}.1795510429.${text}`
    expect(headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`,
    )
  })

  it.each([
    [{ allow: true }, { kind: 'allow' }],
    [
      { allow: true, rewrite: { text: 'hello' } },
      { kind: 'rewrite', rewrite: 'hello' },
    ],
    [{ allow: false }, { kind: 'deny', reason: undefined }],
    [
      { allow: false, reason: ' no\nlinks\u0000 ' },
      { kind: 'deny', reason: 'no links' },
    ],
    [
      { allow: false, reason: 'x'.repeat(1_000) },
      { kind: 'deny', reason: 'x'.repeat(200) },
    ],
    [
      { allow: true, rewrite: { text: 'too long' } },
      { kind: 'none', why: 'invalid' },
    ],
    [{}, { kind: 'none', why: 'invalid' }],
    [{ allow: 'true' }, { kind: 'none', why: 'invalid' }],
    [[], { kind: 'none', why: 'invalid' }],
    [
      { allow: true, more: 'x'.repeat(20_000) },
      { kind: 'none', why: 'invalid' },
    ],
  ])('answered %j', async (answer, verdict) => {
    server.decide((asked) => asked.answer(answer))
    expect(await backend.ask(question, read)).toEqual(verdict)
  })

  it('is not carried to where a redirect leads', async () => {
    server.decide(({ res }) => {
      res.writeHead(307, { location: `${server.url}/elsewhere` }).end()
    })
    expect(await backend.ask(question, read)).toEqual({ kind: 'none', why: 'failed' })
    expect(server.asked).toHaveLength(1)
  })

  it('has no verdict when the answer is late, cut, not JSON, or of another status', async () => {
    server.decide(({ res }) => res.end('{"allow": true'))
    expect(await backend.ask(question, read)).toEqual({ kind: 'none', why: 'invalid' })
    server.decide((asked) => asked.answer({ allow: true }, 503))
    expect(await backend.ask(question, read)).toEqual({ kind: 'none', why: 'failed' })
    server.decide(
      ({ res }) =>
        void res.writeHead(200, { 'content-length': 50 }).write('{"al', () => res.destroy()),
    )
    expect(await backend.ask(question, read)).toEqual({ kind: 'none', why: 'failed' })
    await backend.close()
    backend = open({ timeoutMs: 100 })
    server.decide(() => undefined)
    expect(await backend.ask(question, read)).toEqual({ kind: 'none', why: 'timeout' })
  })
})

describe('a backend', () => {
  it('that is slow gets so many at a time, so many wait, and the rest hears so at once', async () => {
    await backend.close()
    backend = open({ concurrency: 2, queueMax: 3 })
    server.decide(() => undefined)
    const answers = Array.from({ length: 5 }, () => backend.ask(question, read))
    await until('two questions', () => server.asked.length === 2)
    expect(await backend.ask(question, read)).toEqual({ kind: 'none', why: 'busy' })
    server.decide((asked) => asked.answer({ allow: true }))
    expect(server.asked).toHaveLength(2)
    for (const asked of server.asked.slice()) asked.answer({ allow: true })
    expect(await Promise.all(answers)).toEqual(answers.map(() => ({ kind: 'allow' })))
    expect(server.asked).toHaveLength(5)
  })

  it('that fails again and again is left alone, and asked again after a while', async () => {
    server.decide((asked) => asked.answer({}, 500))
    for (let i = 0; i < 5; i++) await backend.ask(question, read)
    expect(await backend.ask(question, read)).toEqual({ kind: 'none', why: 'rested' })
    expect(server.asked).toHaveLength(5)
    nowMs = 1_000
    server.decide((asked) => asked.answer({ allow: true }))
    expect(await backend.ask(question, read)).toEqual({ kind: 'allow' })
    expect(await backend.ask(question, read)).toEqual({ kind: 'allow' })
  })
})
