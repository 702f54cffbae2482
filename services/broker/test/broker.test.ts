import { once } from 'node:events'
import { connect } from 'node:net'
import { Agent, createServer, request, type IncomingMessage } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import { createMemoryLog, type RoomLog } from '@roomcast/roomlog'
import { within } from '../../../test/support/processes.ts'
import { newRoom, roomPath, startTestBroker } from './started-broker.ts'

describe('a broker', () => {
  it('describes its API as OpenAPI 3.1, without what is internal', async () => {
    await using started = await startTestBroker()
    const { body } = await started.get('/openapi.json')
    const api = body as unknown as {
      openapi: string
      paths: Record<string, Record<string, { responses: Record<string, { content: object }> }>>
    }
    expect(api.openapi).toMatch(/^3\.1\./)
    expect(
      Object.entries(api.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path}`),
      ),
    ).toEqual([
      'post /v1/rooms/{room}/messages',
      'get /v1/rooms/{room}/messages',
      'post /v1/messages',
      'get /v1/rooms/{room}/stream',
      'post /v1/rooms/{room}/kick',
      'post /v1/rooms/{room}/bans',
      'get /v1/rooms/{room}/bans',
      'delete /v1/rooms/{room}/bans/{user}',
      'delete /v1/rooms/{room}/messages/{message}',
      'delete /v1/rooms/{room}',
      'post /v1/users/{user}/disconnect',
    ])
    const publish = api.paths['/v1/messages']?.['post']
    expect(Object.keys(publish?.responses['400']?.content ?? {})).toEqual([
      'application/problem+json',
    ])
    const stream = api.paths['/v1/rooms/{room}/stream']?.['get']
    expect(Object.keys(stream?.responses['200']?.content ?? {})).toEqual(['text/event-stream'])
  })

  it.each([
    ['GET', '/nowhere'],
    ['PUT', '/v1/messages'],
    ['GET', '/v1/messages'],
    ['POST', '/v1/rooms/a/stream'],
    ['GET', '/internal/append'],
  ])('answers %s %s with not_found', async (method, path) => {
    await using started = await startTestBroker()
    const answer = await started.get(path, { method })
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(answer.type).toContain('application/problem+json')
  })

  it('tells nothing about a fault but that there was one, and logs it', async () => {
    const roomLog: RoomLog = {
      ...createMemoryLog(),
      read: () => Promise.reject(new Error('a secret of the log')),
    }
    await using started = await startTestBroker({}, { roomLog })
    const answer = await started.get(`${roomPath(newRoom())}/messages`)
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } })
    expect(JSON.stringify(answer.body)).not.toContain('secret')
    expect(started.logged()).toContain('a secret of the log')
  })

  it('is ready once the log was there, and stays so: an outage of Redis is every replica’s', async () => {
    let isAvailable = false
    const roomLog: RoomLog = { ...createMemoryLog(), isAvailable: () => isAvailable }
    await using started = await startTestBroker({}, { roomLog })
    const before = await started.ready()
    expect([before.status, await before.text()]).toEqual([
      503,
      'the room log was not reached yet\n',
    ])
    isAvailable = true
    expect((await started.ready()).status).toBe(200)
    isAvailable = false
    expect((await started.ready()).status).toBe(200)
  })

  it('answers what is under way before it ends, and is not ready meanwhile', async () => {
    const log = createMemoryLog()
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const roomLog: RoomLog = {
      ...log,
      async append(batches) {
        asked.resolve()
        await answer.promise
        return log.append(batches)
      },
    }
    const started = await startTestBroker({}, { roomLog })
    const publishing = started.post(`${roomPath(newRoom())}/messages`, {
      username: 'Alice',
      text: 'late',
    })
    await asked.promise
    const closing = started.broker.close()
    expect(started.broker.close()).toBe(closing)
    expect(started.broker.notReadyBecause()).toBe('ending')
    expect((await started.ready()).status).toBe(503)
    answer.resolve()
    expect((await publishing).status).toBe(201)
    await within(2_000, 'the end', closing)
    await started[Symbol.asyncDispose]()
  })

  it('does not wait for connections that are kept alive', async () => {
    const started = await startTestBroker()
    const agent = new Agent({ keepAlive: true })
    const req = request(`${started.url}/v1/rooms/a/messages`, { agent }).end()
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    res.resume()
    await once(res, 'end')
    // One that was opened ahead of a request, as pools of connections do.
    const ahead = connect(started.broker.port, '127.0.0.1')
    await once(ahead, 'connect')
    await within(2_000, 'the end', started[Symbol.asyncDispose]())
    agent.destroy()
  })

  it('does not start on a port that is taken, and leaves nothing open', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    try {
      await expect(startTestBroker({ port })).rejects.toThrow(String(port))
      await expect(startTestBroker({ metricsPort: port })).rejects.toThrow(String(port))
    } finally {
      other.close()
    }
  })
})
