import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { ClientError, Offset, type Problem } from '@roomcast/protocol'
import { createLog, startTelemetry } from '@roomcast/runtime'
import { createHttpApi, problemOf, problemResponses } from '@roomcast/runtime/http-api'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { within } from '../../../test/support/processes.ts'

class StoreAway extends Error {}

const Echo = z.object({ word: z.string({ error: 'word must be a string' }) })

let logged = ''
let answer: PromiseWithResolvers<void>
let api: ReturnType<typeof createHttpApi>
let url: string

const routes: FastifyPluginCallbackZod = (api, _options, done) => {
  api.post(
    '/echo',
    { schema: { body: Echo, response: { 200: Echo, ...problemResponses('invalid') } } },
    ({ body }) => body,
  )
  api.get('/from/:room', { schema: { querystring: z.object({ after: Offset }) } }, () => ({}))
  api.delete('/thing', (_request, reply) => reply.code(204).send())
  api.get('/slow', () => answer.promise.then(() => 'slow'))
  api.get('/broken', () => Promise.reject(new Error('a detail')))
  api.get('/busy', () => Promise.reject(new ClientError('busy', 'full', { retryAfterMs: 1_500 })))
  api.get('/away', () => Promise.reject(new StoreAway()))
  api.get('/closed', () => Promise.reject(new ClientError('unauthorized', 'a key is required')))
  done()
}

beforeEach(async () => {
  logged = ''
  answer = Promise.withResolvers()
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged += chunk.toString()
      done()
    },
  })
  api = createHttpApi({
    title: 'Test',
    description: 'An API for tests.',
    log: createLog('test', 'info', destination),
    service: 'test',
    telemetry: startTelemetry('test', 'test'),
    clientErrorOf: (error) =>
      error instanceof StoreAway ? new ClientError('unavailable', 'away') : undefined,
  })
  api.register(routes)
  await api.listen({ host: '127.0.0.1', port: 0 })
  url = `http://127.0.0.1:${(api.server.address() as AddressInfo).port}`
})
afterEach(() => api.close())

const ask = async (path: string, init?: RequestInit) => {
  const response = await fetch(url + path, init)
  const text = await response.text()
  return { response, problem: (text.startsWith('{') ? JSON.parse(text) : {}) as Problem }
}
const post = (body: string, type = 'application/json') =>
  ask('/echo', { method: 'POST', headers: { 'content-type': type }, body })

describe('an HTTP API', () => {
  it('answers without what its schema does not name', async () => {
    expect((await post('{"word":"hi","more":1}')).problem).toEqual({ word: 'hi' })
  })

  it.each([
    ['{', 400, 'invalid'],
    ['', 400, 'invalid'],
    ['{"word":1}', 400, 'invalid'],
    [`"${'x'.repeat(1_048_576)}"`, 413, 'too_large'],
  ])('answers a bad body with a problem', async (body, status, code) => {
    const { response, problem } = await post(body)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    expect(problem).toMatchObject({ type: 'about:blank', status, code })
    expect(response.status).toBe(status)
  })

  it('understands JSON alone', async () => {
    expect((await post('{"word":"hi"}', 'text/plain')).problem).toMatchObject({
      status: 415,
      code: 'unsupported_media_type',
    })
  })

  it('takes a content type without a body', async () => {
    const headers = { 'content-type': 'application/json' }
    expect((await ask('/thing', { method: 'DELETE', headers })).response.status).toBe(204)
  })

  it('names each fault by its path', async () => {
    expect((await post('{}')).problem.errors).toEqual([
      { path: 'word', message: 'word must be a string' },
    ])
  })

  it('knows a bad offset, bad percent-encoding and unknown paths', async () => {
    expect((await ask('/from/a?after=x')).problem.code).toBe('invalid_offset')
    expect((await ask('/from/%zz?after=a:1')).problem).toMatchObject({
      status: 400,
      code: 'invalid',
    })
    expect((await ask('/from')).problem).toMatchObject({ status: 404, code: 'not_found' })
    expect((await ask('/echo')).problem).toMatchObject({ status: 404, code: 'not_found' })
    expect((await ask('/slow', { method: 'HEAD' })).response.status).toBe(404)
  })

  it('tells nothing of a fault, and logs it', async () => {
    const { problem } = await ask('/broken')
    expect(problem).toMatchObject({ status: 500, code: 'internal' })
    expect(JSON.stringify(problem)).not.toContain('a detail')
    expect(logged).toContain('a detail')
  })

  it('says when to come back, in whole seconds and in milliseconds', async () => {
    const { response, problem } = await ask('/busy')
    expect(problem).toMatchObject({
      status: 503,
      code: 'busy',
      detail: 'full',
      retryAfterMs: 1_500,
    })
    expect(response.headers.get('retry-after')).toBe('2')
  })

  it('asks for a bearer key where one is missing', async () => {
    const { response, problem } = await ask('/closed')
    expect(problem).toMatchObject({ status: 401, code: 'unauthorized' })
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
  })

  it('tells of a known outage, and does not log each request', async () => {
    expect((await ask('/away')).problem).toMatchObject({ status: 503, code: 'unavailable' })
    expect(logged).toBe('')
  })

  it('ends with what is under way answered, whatever connections are open', async () => {
    const ahead = connect((api.server.address() as AddressInfo).port, '127.0.0.1')
    await once(ahead, 'connect')
    const asked = once(api.server, 'request')
    const slow = fetch(`${url}/slow`)
    await asked
    const closing = api.close()
    answer.resolve()
    expect(await (await slow).text()).toBe('slow')
    await within(2_000, 'the end', closing)
  })
})

describe('the problem of an error', () => {
  it('is internal for what nobody knows', () => {
    for (const error of [undefined, 'text', new Error('x'), { statusCode: 400 }]) {
      expect(problemOf(error)).toMatchObject({ status: 500, code: 'internal' })
    }
  })
})
