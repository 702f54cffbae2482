import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  APPEND_CONTENT_TYPE,
  APPEND_PATH,
  APPEND_REQUEST_MAX_BYTES,
  AppendResponse,
  encodeAppendRequest,
  INTERNAL_TOKEN_HEADER,
  type AppendBatch,
} from '@roomcast/protocol'
import {
  answerOf,
  JSON_TYPE,
  newRoom,
  startTestBroker,
  type StartedBroker,
} from '../started-broker.ts'

const message = (text: string) => ({
  payload: JSON.stringify({ event: 'broadcast_say', data: { username: 'Bob', text } }),
})

const TOKEN = 'a token that is long enough'

describe('POST /internal/append', () => {
  let started: StartedBroker
  beforeAll(async () => {
    started = await startTestBroker()
  })
  afterAll(() => started[Symbol.asyncDispose]())

  const send = async (body: string, headers: Record<string, string> = {}, to = started) =>
    answerOf(
      await fetch(to.url + APPEND_PATH, {
        method: 'POST',
        headers: { 'content-type': APPEND_CONTENT_TYPE, ...headers },
        body,
      }),
    )
  const append = async (...batches: AppendBatch[]) => {
    const { status, body } = await send(encodeAppendRequest(batches))
    expect(status).toBe(200)
    return AppendResponse.parse(body).results
  }

  it('appends the batches of several rooms and answers each in its order', async () => {
    const [a, b] = [newRoom(), newRoom()]
    const results = await append(
      { room: a, messages: [message('1'), message('2')] },
      { room: b, messages: [message('3')] },
    )
    expect(results).toMatchObject([
      { status: 'appended', seqs: [1, 2] },
      { status: 'appended', seqs: [1] },
    ])
    const { entries } = await started.roomLog.read(a, { limit: 10 })
    expect(entries.map(({ payload }) => payload)).toEqual([
      message('1').payload,
      message('2').payload,
    ])
  })

  it('answers a batch that comes again with the answer of the first time', async () => {
    const batch = { room: newRoom(), producer: { id: 'g1', first: 1 }, messages: [message('once')] }
    const first = await append(batch)
    expect(await append(batch)).toEqual(first)
    expect((await started.roomLog.read(batch.room, { limit: 10 })).entries).toHaveLength(1)
  })

  it('tells a producer that is out of order its last number', async () => {
    const room = newRoom()
    await append({ room, producer: { id: 'g1', first: 1 }, messages: [message('1')] })
    expect(
      await append({ room, producer: { id: 'g1', first: 5 }, messages: [message('5')] }),
    ).toEqual([{ status: 'out_of_order', last: 1 }])
  })

  it('says what is wrong with a request that it cannot read', async () => {
    const room = newRoom()
    const good = encodeAppendRequest([{ room, messages: [message('1')] }])
    for (const [body, detail] of [
      [good.slice(0, -1), 'line break'],
      ['{\n', 'JSON'],
      [good.split('\n').slice(0, 1).join('\n') + '\n', 'fewer payloads than keys'],
      [good.replace('"v":1', '"v":2'), 'v'],
    ] as const) {
      const answer = await send(body)
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid' } })
      expect(answer.body.detail).toContain(detail)
    }
    expect((await started.roomLog.read(room, { limit: 10 })).entries).toEqual([])
  })

  it('takes its own content type alone, and no more than its limit', async () => {
    expect(await send('{}', { 'content-type': JSON_TYPE })).toMatchObject({
      status: 415,
      body: { code: 'unsupported_media_type' },
    })
    const large = await send('x'.repeat(APPEND_REQUEST_MAX_BYTES + 1)).catch(() => undefined)
    // The answer may be lost when the connection is closed before the body was sent whole.
    if (large !== undefined)
      expect(large).toMatchObject({ status: 413, body: { code: 'too_large' } })
  })

  it('counts batches by result, and messages', async () => {
    await using own = await startTestBroker()
    const room = newRoom()
    const producer = { id: 'g1', first: 1 }
    const bodies = [
      encodeAppendRequest([{ room, producer, messages: [message('1'), message('2')] }]),
      encodeAppendRequest([{ room, producer: { id: 'g1', first: 9 }, messages: [message('9')] }]),
    ]
    for (const body of bodies) await send(body, {}, own)
    const metrics = await own.metrics()
    expect(metrics).toMatch(/^roomcast_broker_appends_total\{result="appended"\} 1$/m)
    expect(metrics).toMatch(/^roomcast_broker_appends_total\{result="out_of_order"\} 1$/m)
    expect(metrics).toMatch(/^roomcast_broker_appends_total\{result="failed"\} 0$/m)
    expect(metrics).toMatch(/^roomcast_broker_appended_messages_total 2$/m)
    expect(metrics).toMatch(/^roomcast_broker_append_duration_seconds_count 2$/m)
    expect(metrics).toMatch(/^roomcast_broker_append_duration_seconds_bucket\{le="2"\} 2$/m)
  })

  it('wants the internal token where there is one', async () => {
    await using own = await startTestBroker({ internalToken: TOKEN })
    const room = newRoom()
    const body = encodeAppendRequest([{ room, messages: [message('1')] }])
    for (const headers of [{}, { [INTERNAL_TOKEN_HEADER]: 'a token that is not it' }]) {
      expect(await send(body, headers, own)).toMatchObject({
        status: 401,
        body: { code: 'unauthorized' },
      })
    }
    expect((await own.roomLog.read(room, { limit: 10 })).entries).toEqual([])
    expect(await send(body, { [INTERNAL_TOKEN_HEADER]: TOKEN }, own)).toMatchObject({ status: 200 })
  })
})
