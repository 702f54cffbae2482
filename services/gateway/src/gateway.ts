import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { RoomLog } from '@roomcast/roomlog'
import {
  Closer,
  latch,
  listenFault,
  serveHealth,
  VERSION,
  type Log,
  type Service,
  type Telemetry,
} from '@roomcast/runtime'
import { Server } from 'socket.io'
import { createAddressRate } from './address-rate.ts'
import { chooseAdapter, type ClusterConnections } from './adapter.ts'
import { createBrokerClient } from './broker-client.ts'
import { serveChat } from './chat.ts'
import { clientAddresses } from './client-address.ts'
import type { Config } from './config.ts'
import { limitConnections } from './connection-limits.ts'
import { countConnections } from './connections.ts'
import { drain } from './drain.ts'
import { gatherHandshakes } from './engine/connection.ts'
import { watchEntrances } from './entrances.ts'
import { createFacts } from './facts.ts'
import { createFanout } from './fanout.ts'
import { watchFloods } from './floods.ts'
import { createRefuse } from './handshakes.ts'
import type { Context, Quit } from './member/context.ts'
import { announceQuit } from './member/leave.ts'
import type { Member } from './member/member.ts'
import { forwardStrays } from './forward.ts'
import { createLostGateways } from './lost-gateways.ts'
import { createPeers } from './peers.ts'
import { createSessionIds } from './session-id.ts'
import { createOutbox, FLIGHTS_MAX } from './outbox.ts'
import { createOrigins } from './origins.ts'
import { createPages } from './pages.ts'
import { createPresenceClient } from './presence-client.ts'
import { createQuits } from './quits.ts'
import { createRecovery, withholdPids } from './recovery.ts'
import { keepSessions } from './session-keeper.ts'
import { startReporter } from './reporter.ts'
import { guardRequests } from './requests.ts'
import { createRoomRate } from './room-rate.ts'
import { createRooms } from './rooms.ts'
import { createShedding } from './shed.ts'
import type { ChatServer } from './sockets.ts'
import { createUserConnections } from './user-connections.ts'

/** What an owner of a session may be late with its pings, because it is busy, before it counts as silent. In milliseconds. */
const SILENCE_MARGIN_MS = 1_000

/** What a gateway serves over Socket.IO, and where. */
export interface Application {
  /** Path of the endpoint, without a slash at its end. */
  readonly path: string
  /** Adds its handlers, before the first connection. */
  serve(io: ChatServer): void
}

export interface GatewayDeps {
  readonly log: Log
  readonly telemetry: Telemetry
  readonly roomLog: RoomLog
  /** Without them each gateway answers cluster operations for itself. */
  readonly cluster?: ClusterConnections | undefined
  /** Takes the chat's place and leaves all else as it is, for tests of the protocol: see scripts/conformance. */
  readonly application?: Application | undefined
  readonly now: () => number
}

export interface Gateway extends Service {
  readonly port: number
  readonly metricsPort: number
  /** Socket.IO's server, for cluster operations. */
  readonly io: ChatServer
}

/**
 * Starts a gateway and resolves when it listens; whether it is ready is told by `/readyz`. It starts as well while Redis, the brokers or
 * presence are away, and is ready when they were all there once: later outages are a state, not an end.
 */
export async function startGateway(config: Config, deps: GatewayDeps): Promise<Gateway> {
  const { log, telemetry, roomLog, now } = deps
  const { limits } = config
  const instance = randomBytes(8).toString('hex')
  /** For durations: it is not set back or forth, as the time of day may be. */
  const clock = (): number => performance.now()
  const closer = new Closer()
  try {
    const pages = await createPages(limits)
    closer.add(() => pages.close())
    let isEnding = false

    const recovery = createRecovery({
      roomLog,
      instance,
      maxMessages: config.recoveryMaxMessages,
      facts: () => facts,
      log,
    })
    const origins = createOrigins(limits.corsOrigins)
    const io: ChatServer = new Server(pages.server, {
      path: deps.application?.path ?? '/socket.io',
      allowEIO3: config.allowEio3,
      pingInterval: config.pingIntervalMs,
      pingTimeout: config.pingTimeoutMs,
      maxHttpBufferSize: config.maxPayloadBytes,
      perMessageDeflate: false,
      connectTimeout: limits.connectTimeoutMs,
      upgradeTimeout: limits.upgradeTimeoutMs,
      cleanupEmptyChildNamespaces: true,
      adapter: chooseAdapter({
        channelPrefix: `${config.redisKeyPrefix}:socket.io`,
        cluster: deps.cluster,
        recovery,
      }),
      // Its time is the session records' own; middlewares run for who comes back as for everybody.
      connectionStateRecovery: {
        maxDisconnectionDuration: config.recoveryWindowMs,
        skipMiddlewares: false,
      },
      ...(origins.cors === undefined ? {} : { cors: origins.cors }),
    })
    withholdPids(io)
    gatherHandshakes(io.engine)
    const refuse = createRefuse(config.affinityCookie)
    const connectionLimits = limitConnections(io.engine, {
      limits,
      origins,
      addresses: clientAddresses(limits.trustedProxies),
      refuse,
      isEnding: () => isEnding,
      open: () => connections.open(),
      facts: () => facts,
      log,
      now: clock,
    })
    closer.add(() => connectionLimits.close())
    guardRequests(io.engine, {
      isEnding: () => isEnding,
      turnsAway: () => shedding.turnsAway(),
      affinityCookie: config.affinityCookie,
      refuse,
      onRefused: (reason) => facts.refused(reason),
      limits: connectionLimits.guards,
      silenceMs: config.pingIntervalMs + config.pingTimeoutMs,
      now: clock,
    })

    const ids = createSessionIds(instance, config.internalToken ?? 'roomcast')
    // Engine.IO documents `generateId` as the way to choose ids; its types know it as a private part.
    Object.assign(io.engine, { generateId: () => ids.create() })

    const facts = createFacts(telemetry, () => ({
      connections: connections.byTransport,
      members: rooms.members(),
      rooms: rooms.count(),
      outboxMessages: outbox.size(),
      waitingHandshakes: connectionLimits.waiting(),
    }))
    const connections = countConnections(io.engine, facts, () =>
      reporter.connections(connections.byTransport),
    )
    const floods = watchFloods(io.engine, {
      packetsPerSecond: limits.eventRatePerSecond,
      bytesPerSecond: limits.byteRatePerSecond,
      slowClientBytes: config.slowClientBytes,
      connections,
      facts,
      now: clock,
    })
    const entrances = watchEntrances(io.engine, {
      timeoutMs: limits.connectTimeoutMs,
      connections,
      now: clock,
    })
    closer.add(() => entrances.close())
    const shedding = createShedding(connections, { now: clock, log })
    const fanout = createFanout<Member>({
      pacing: { rest: config.fanoutRest, maxDelayMs: config.fanoutMaxDelayMs },
      slowClientBytes: config.slowClientBytes,
      facts,
      now,
      clock,
      onSlow: (socket) => {
        connections.blame(socket.conn, 'slow')
        log.info({ sid: socket.id }, 'slow connection was ended')
      },
    })
    const brokers = await createBrokerClient({
      urls: config.brokerUrls,
      internalToken: config.internalToken,
      concurrency: FLIGHTS_MAX,
    })
    closer.add(() => brokers.close())
    const presence = await createPresenceClient({
      urls: config.presenceUrls,
      internalToken: config.internalToken,
    })
    closer.add(() => presence.close())
    const outbox = createOutbox({
      instance,
      maxMessages: config.outboxMaxMessages,
      maxBytes: config.outboxMaxBytes,
      restMs: config.outboxRestMs,
      append: (batches) => brokers.append(batches),
      isLogAvailable: () => roomLog.isAvailable(),
      now: clock,
      log,
    })
    const rooms = createRooms({
      roomLog,
      fanout,
      facts,
      log,
      newRate: () => createRoomRate(limits.roomRatePerSecond, clock),
      onClosed: (room) => outbox.forget(room),
    })
    closer.add(() => rooms.close())

    const peers = createPeers()
    const forwarding = forwardStrays(pages.server, {
      path: `${io.path()}/`,
      instance,
      ids,
      peers,
      silenceMs: config.pingIntervalMs + config.pingTimeoutMs + SILENCE_MARGIN_MS,
      facts,
      log,
    })
    closer.add(() => forwarding.close())

    const port = await listenPages(pages, config)
    const reporter = startReporter({
      presenceUrls: config.presenceUrls,
      internalToken: config.internalToken,
      gateway: {
        instance,
        pod: config.pod,
        address: config.advertiseAddress ?? `${config.advertiseHost}:${port}`,
        version: VERSION,
        startedAt: now(),
        sheds: true,
        announces: true,
      },
      log,
      now,
      onGateways: (gateways) => peers.update(gateways),
      onCounts: (counts) => rooms.setCounts(counts),
      onShed: (shed) => shedding.begin(shed),
      onAnnounce: (living) => {
        if (!isEnding) void lostGateways.announce(living)
      },
    })
    closer.add(() => reporter.close())
    closer.add(() => outbox.flush())

    const quits = createQuits<Quit>(config.quitGraceMs, {
      now: clock,
      announce: (quit) => announceQuit(context, quit),
    })
    closer.add(() => quits.flush())
    let messageIds = 0
    const context: Context = {
      config,
      rooms,
      outbox,
      floods,
      entrances,
      users: createUserConnections(limits.connectionsPerUser),
      joinsByAddress: createAddressRate(limits.joinRatePerAddress, clock),
      quits,
      reporter,
      presence,
      roomLog,
      instance,
      facts,
      log,
      now,
      newMessageId: () => `${instance}-${(++messageIds).toString(36)}`,
    }
    const lostGateways = createLostGateways(context, clock)
    if (deps.application === undefined) serveChat(io, context)
    else {
      // Its connections enter nothing that is known here.
      entrances.close()
      deps.application.serve(io)
    }
    const refresher = keepSessions(context)
    closer.add(() => refresher.close())
    closer.add(() => io.engine.close())

    const wasAvailable = latch(() => roomLog.isAvailable())
    closer.add(() => wasAvailable.close())
    const health = await serveHealth(
      { host: config.host, port: config.metricsPort },
      {
        telemetry,
        notReadyBecause: () => {
          if (isEnding) return 'ending'
          if (!wasAvailable.isSet()) return 'the room log was not reached yet'
          return reporter.isKnown()
            ? undefined
            : 'presence has not told the others of this gateway yet'
        },
      },
    )
    const end = async (): Promise<void> => {
      isEnding = true
      shedding.cancel()
      reporter.setDraining(true)
      if (connections.open() > 0) {
        await new Promise((resolve) => {
          setTimeout(resolve, config.drainPropagationMs)
        })
        await drain(connections, { spreadMs: config.drainSpreadMs, now: clock, log })
        // Those who are back elsewhere by then are not announced; the rest is nobody else's to announce.
        if (config.drainSpreadMs > 0) await quits.settled()
      }
      await closer.close()
      // Outlives everything else, so that the end can be watched.
      await health.close()
      await telemetry.close()
    }
    log.info({ port, metricsPort: health.port, instance, pod: config.pod }, 'gateway is listening')
    let ending: Promise<void> | undefined
    return { port, metricsPort: health.port, io, close: () => (ending ??= end()) }
  } catch (error) {
    // Why it did not start is what matters, not what that broke on the way out.
    await closer.close().catch(() => undefined)
    throw error
  }
}

async function listenPages(
  pages: Awaited<ReturnType<typeof createPages>>,
  { host, port }: Config,
): Promise<number> {
  try {
    await pages.listen({ host, port })
  } catch (error) {
    throw listenFault(error, host, port)
  }
  return (pages.server.address() as AddressInfo).port
}
