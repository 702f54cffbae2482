import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import {
  Closer,
  keyName,
  listenFault,
  serveHealth,
  VERSION,
  type Log,
  type Service,
  type Telemetry,
} from '@roomcast/runtime'
import type { Config } from './config.ts'
import { createFacts } from './facts.ts'
import { createHttpApi } from '@roomcast/runtime/http-api'
import { startDuties } from './duties.ts'
import { createDutyFacts } from './duty-facts.ts'
import { startFeed } from './feed.ts'
import { History } from './history.ts'
import { pages } from './pages.ts'
import { startReports } from './reports.ts'
import { eventsRoute } from './routes/events.ts'
import { gatewaysRoute } from './routes/gateways.ts'
import { historyRoute } from './routes/history.ts'
import { membersRoute } from './routes/members.ts'
import { replicaRoute } from './routes/replica.ts'
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

  const { apiKeys, maxStreams, internalToken, pod } = config
  /** Of this process, new with each start. */
  const id = randomUUID()
  const history = new History()
  const replica = { name: config.pod, version: VERSION, startedAt: now() }
  const feed = startFeed({ state, replica, history, maxStreams, now })
  // For a start that fails; otherwise it is long closed.
  closer.add(() => feed.close())
  const facts = createFacts({ state, streams: () => feed.streams(), telemetry, log })

  const api = createHttpApi({
    title: 'Roomcast presence',
    description: 'Who is connected where: totals, gateways, rooms and their members.',
    log,
    limits: config.httpLimits,
    keyOf: ({ headers }) => keyName(apiKeys, headers.authorization),
    onRefused: (code) => facts.requestRefused(code),
  })
  api.register(statsRoute({ state }))
  api.register(gatewaysRoute({ state }))
  api.register(roomsRoutes({ state }))
  api.register(membersRoute({ state, apiKeys, internalToken }))
  api.register(scaleRoute({ state }))
  api.register(eventsRoute({ feed, facts, apiKeys }))
  api.register(historyRoute({ history, apiKeys, now }))
  api.register(replicaRoute({ replica: id, internalToken }))
  api.register(pages)

  try {
    const { host, metricsPort } = config
    const health = await serveHealth({ host, port: metricsPort }, { telemetry, notReadyBecause })
    closer.add(() => health.close())
    closer.add(() => api.close())
    // Before the API, which waits for what is open.
    closer.add(() => feed.close())
    const reports = startReports({
      server: api.server,
      state,
      replica: id,
      internalToken,
      facts,
      log,
      now,
    })
    closer.add(() => reports.close())
    await api.listen({ host, port: config.port }).catch((error: unknown) => {
      throw listenFault(error, host, config.port)
    })
    const duties = await startDuties(config.duties, {
      state,
      host,
      pod,
      replica: id,
      internalToken,
      facts: createDutyFacts({ telemetry, log }),
      now,
      reports,
    })
    // First of all, so that another replica can lead.
    closer.add(() => duties.close())
    if (apiKeys.length === 0)
      log.warn('API_KEYS is not set: everybody may list members and see the dashboard')
    const { port } = api.server.address() as AddressInfo
    log.info({ port, metricsPort: health.port }, 'presence listens')
    return { port, metricsPort: health.port, notReadyBecause, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
