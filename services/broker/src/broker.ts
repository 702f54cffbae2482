import type { AddressInfo } from 'node:net'
import { ClientError } from '@roomcast/protocol'
import { LogUnavailable, type RoomLog } from '@roomcast/roomlog'
import {
  Closer,
  keyName,
  latch,
  listenFault,
  serveHealth,
  type Log,
  type Service,
  type Telemetry,
} from '@roomcast/runtime'
import { createHttpApi } from '@roomcast/runtime/http-api'
import { createAppender } from './appender.ts'
import type { Config } from './config.ts'
import { createFacts } from './facts.ts'
import { createHeldRequests } from './held-requests.ts'
import { appendRoute } from './routes/append.ts'
import { messagesRoute } from './routes/messages.ts'
import { publishRoutes } from './routes/publish.ts'
import { roomsRoute } from './routes/rooms.ts'
import { streamRoute } from './routes/stream.ts'

export interface Broker extends Service, AsyncDisposable {
  /** Of the HTTP API, at which gateways append too. */
  readonly port: number
  readonly metricsPort: number
  /** Why it should get no requests, or no more; undefined when it is ready. */
  notReadyBecause(): string | undefined
}

/**
 * One broker. It keeps nothing: what it acknowledged is in the room log, which is its caller's to close. `close` is idempotent: the
 * broker is not ready at once, streams and waiting polls end, requests under way are answered.
 */
export async function startBroker(
  config: Config,
  {
    log,
    telemetry,
    roomLog,
    now,
  }: {
    readonly log: Log
    readonly telemetry: Telemetry
    readonly roomLog: RoomLog
    readonly now: () => number
  },
): Promise<Broker> {
  const closer = new Closer()
  let isClosing = false
  const close = (): Promise<void> => {
    isClosing = true
    return closer.close()
  }
  const wasAvailable = latch(() => roomLog.isAvailable())
  closer.add(() => wasAvailable.close())
  const notReadyBecause = (): string | undefined => {
    if (isClosing) return 'ending'
    return wasAvailable.isSet() ? undefined : 'the room log was not reached yet'
  }

  const { host, metricsPort, apiKeys, internalToken, textMaxBytes } = config
  const { streamBufferBytes, streamHeartbeatMs } = config
  const held = createHeldRequests(config.maxStreams)
  const facts = createFacts({ held, telemetry, log })
  const appender = createAppender({ roomLog, publishMaxBytes: config.publishMaxBytes, facts })
  const api = createHttpApi({
    title: 'Roomcast broker',
    description: 'Publish to rooms and read them: a page at a time, by long poll, or as a stream.',
    log,
    limits: config.httpLimits,
    keyOf: ({ headers }) => keyName(apiKeys, headers.authorization),
    onRefused: (code) => facts.requestRefused(code),
    clientErrorOf: (error) =>
      error instanceof LogUnavailable
        ? new ClientError('unavailable', 'the room log is away', { cause: error })
        : undefined,
  })
  api.register(appendRoute({ appender, internalToken, facts }))
  api.register(publishRoutes({ appender, apiKeys, textMaxBytes, now }))
  api.register(messagesRoute({ roomLog, held, facts }))
  api.register(streamRoute({ roomLog, held, facts, log, streamBufferBytes, streamHeartbeatMs }))
  api.register(roomsRoute({ roomLog, apiKeys }))

  try {
    const health = await serveHealth({ host, port: metricsPort }, { telemetry, notReadyBecause })
    closer.add(() => health.close())
    closer.add(() => api.close())
    closer.add(() => held.endAll())
    await api.listen({ host, port: config.port }).catch((error: unknown) => {
      throw listenFault(error, host, config.port)
    })
    if (apiKeys.length === 0) log.warn('API_KEYS is not set: everybody may publish and delete')
    const { port } = api.server.address() as AddressInfo
    log.info({ port, metricsPort: health.port }, 'the broker listens')
    return { port, metricsPort: health.port, notReadyBecause, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
