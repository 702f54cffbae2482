import type { AddressInfo } from 'node:net'
import { ClientError } from '@roomcast/protocol'
import { LogUnavailable, type RoomLog } from '@roomcast/roomlog'
import {
  Closer,
  latch,
  listenFault,
  serveHealth,
  type Log,
  type Service,
  type Telemetry,
} from '@roomcast/runtime'
import { openDoors } from '@roomcast/runtime/http-access'
import { createHttpApi } from '@roomcast/runtime/http-api'
import { createAppender } from './appender.ts'
import { createAudit } from './audit.ts'
import type { Config } from './config.ts'
import { createFacts } from './facts.ts'
import { createHeldRequests } from './held-requests.ts'
import { createModerator } from './moderator.ts'
import { appendRoute } from './routes/append.ts'
import { messagesRoute } from './routes/messages.ts'
import { moderationRoutes } from './routes/moderation.ts'
import { publishRoutes } from './routes/publish.ts'
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
  const {
    access,
    internal,
    isOpen,
    close: closeDoors,
  } = await openDoors('broker', config, { telemetry, log })
  const closer = new Closer()
  closer.add(closeDoors)
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

  const { host, metricsPort, textMaxBytes } = config
  const { streamBufferBytes, streamHeartbeatMs } = config
  const held = createHeldRequests(config.maxStreams)
  const facts = createFacts({
    held,
    isDegraded: () => !roomLog.isAvailable(),
    telemetry,
    log,
  })
  const appender = createAppender({
    roomLog,
    publishMaxBytes: config.publishMaxBytes,
    facts,
    tracer: telemetry.tracer,
  })
  const api = createHttpApi({
    title: 'Roomcast broker',
    description: 'Publish to rooms and read them: a page at a time, by long poll, or as a stream.',
    log,
    service: 'broker',
    telemetry,
    limits: config.httpLimits,
    keyOf: access.keyOf,
    onRefused: (code) => facts.requestRefused(code),
    clientErrorOf: (error) =>
      error instanceof LogUnavailable
        ? new ClientError('unavailable', 'the room log is away', { cause: error })
        : undefined,
  })
  api.register(appendRoute({ appender, internal, facts }))
  api.register(publishRoutes({ appender, access, textMaxBytes, now }))
  api.register(messagesRoute({ roomLog, access, held, facts }))
  api.register(
    streamRoute({ roomLog, access, held, facts, log, streamBufferBytes, streamHeartbeatMs }),
  )
  api.register(
    moderationRoutes({
      roomLog,
      access,
      moderator: createModerator({ roomLog, now }),
      audit: createAudit({ log, telemetry }),
      now,
    }),
  )

  try {
    const health = await serveHealth({ host, port: metricsPort }, { telemetry, notReadyBecause })
    closer.add(() => health.close())
    closer.add(() => api.close())
    closer.add(() => held.endAll())
    await api.listen({ host, port: config.port }).catch((error: unknown) => {
      throw listenFault(error, host, config.port)
    })
    if (isOpen) {
      log.warn(
        'OPEN: everybody who reaches this port may publish, read and delete; set API_KEYS or API_KEYS_FILE to close it',
      )
    }
    const { port } = api.server.address() as AddressInfo
    log.info({ port, metricsPort: health.port }, 'the broker listens')
    return { port, metricsPort: health.port, notReadyBecause, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
