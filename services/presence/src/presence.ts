import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import {
  Closer,
  listenFault,
  serveHealth,
  type Log,
  type Service,
  type Telemetry,
} from '@roomcast/runtime'
import type { Config } from './config.ts'
import { createFacts } from './facts.ts'
import { createHttpApi } from '@roomcast/runtime/http-api'
import { startReports } from './reports.ts'
import { gatewaysRoute } from './routes/gateways.ts'
import { membersRoute } from './routes/members.ts'
import { roomsRoutes } from './routes/rooms.ts'
import { scaleRoute } from './routes/scale.ts'
import { statsRoute } from './routes/stats.ts'
import { createState } from './state.ts'

export interface Presence extends Service, AsyncDisposable {
  /** Of the HTTP API and of the reports. */
  readonly port: number
  readonly metricsPort: number
  /** Why it should get no requests yet, or no more; undefined when it is ready. */
  notReadyBecause(): string | undefined
}

/**
 * One replica of presence. It keeps nothing: what it knows it has from the gateways that report to it, and is not ready until they had
 * the time to. `close` sends the gateways elsewhere, lets running requests finish, and is idempotent.
 */
export async function startPresence(
  config: Config,
  {
    log,
    telemetry,
    now,
  }: { readonly log: Log; readonly telemetry: Telemetry; readonly now: () => number },
): Promise<Presence> {
  const closer = new Closer()
  let isClosing = false
  const close = (): Promise<void> => {
    isClosing = true
    return closer.close()
  }

  const state = createState(config, now())
  const notReadyBecause = (): string | undefined => {
    if (isClosing) return 'ending'
    return state.isComplete ? undefined : 'the gateways had no time to report yet'
  }

  const api = createHttpApi({
    title: 'Roomcast presence',
    description: 'Who is connected where: totals, gateways, rooms and their members.',
    log,
  })
  api.register(statsRoute({ state }))
  api.register(gatewaysRoute({ state }))
  api.register(roomsRoutes({ state }))
  api.register(membersRoute({ state, apiKeys: config.apiKeys }))
  api.register(scaleRoute({ state }))

  try {
    const { host, metricsPort } = config
    const health = await serveHealth({ host, port: metricsPort }, { telemetry, notReadyBecause })
    closer.add(() => health.close())
    closer.add(() => api.close())
    const reports = startReports({
      server: api.server,
      state,
      replica: randomUUID(),
      internalToken: config.internalToken,
      facts: createFacts({ state, telemetry, log }),
      log,
      now,
    })
    closer.add(() => reports.close())
    await api.listen({ host, port: config.port }).catch((error: unknown) => {
      throw listenFault(error, host, config.port)
    })
    if (config.apiKeys.length === 0) log.warn('API_KEYS is not set: everybody may list members')
    const { port } = api.server.address() as AddressInfo
    log.info({ port, metricsPort: health.port }, 'presence listens')
    return { port, metricsPort: health.port, notReadyBecause, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
