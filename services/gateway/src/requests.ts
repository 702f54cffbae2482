import { ServerResponse, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server as EngineServer, Socket as EngineConnection } from 'engine.io'
import { engineConnection, isUpgrading, sidOf } from './engine/connection.ts'
import { refuseHandshakes, type Refuse } from './handshakes.ts'
import { createOvertakenPolls } from './overtaken-polls.ts'
import { createRepeatedPolls } from './repeated-polls.ts'

type Query = Readonly<Record<string, string | undefined>>

export interface Request {
  readonly method: string | undefined
  readonly query: Query
  readonly headers: IncomingHttpHeaders
  /** The socket of an upgrade: what Engine.IO has for its response only looks like one. */
  readonly upgrade: Duplex | undefined
  readonly raw: IncomingMessage
}

export type Guard = (request: Request, res: ServerResponse, next: (refused?: Error) => void) => void

/**
 * What stands between a request and Engine.IO: new connections are refused while the gateway ends or sends some elsewhere, and those
 * of no version of the protocol, and those that are over a limit; a poll that comes after its connection's time ends it, and so does one that a proxy repeats; a poll that its client's close
 * has overtaken is answered; one that comes during an upgrade waits for its end.
 */
export function guardRequests(
  engine: EngineServer,
  options: {
    readonly isEnding: () => boolean
    /** Asked for each new connection that was led here by the affinity cookie: whether it is to go elsewhere. */
    readonly turnsAway: () => boolean
    readonly affinityCookie: string | undefined
    readonly refuse: Refuse
    readonly onRefused: (reason: 'ending' | 'shed') => void
    /** What else stands before new connections. */
    readonly limits: readonly Guard[]
    /** How long a connection may say nothing: the interval of pings and the time that the answer to one may take, in milliseconds. */
    readonly silenceMs: number
    readonly now: () => number
  },
): void {
  const { silenceMs, now } = options
  const guards = [
    refuseHandshakes(options),
    refuseUnknownVersions,
    ...options.limits,
    endOverdue(engine, silenceMs, now),
    watchPolls(engine, now),
    holdWhileUpgrading(engine),
  ]
  for (const guard of guards) {
    engine.use(
      (
        req: IncomingMessage & { readonly _query?: Query },
        res: ServerResponse,
        next: (refused?: Error) => void,
      ) => {
        const { method, headers, _query: query = {}, socket } = req
        guard(
          {
            method,
            query,
            headers,
            upgrade: res instanceof ServerResponse ? undefined : socket,
            raw: req,
          },
          res,
          next,
        )
      },
    )
  }
}

/** Calls for each connection that begins by polling: one that begins as a websocket sends no polls, and is spared the listeners. */
function onPolling(engine: EngineServer, look: (connection: EngineConnection) => void): void {
  engine.on('connection', (connection: EngineConnection) => {
    if (connection.transport.name === 'polling') look(connection)
  })
}

/** What clients of Socket.IO v2, and of v3 and v4, say that they speak. */
const VERSIONS: ReadonlySet<string | undefined> = new Set(['3', '4'])

/** The protocol has the version as mandatory, while Engine.IO takes whatever it does not know for version 3. */
const refuseUnknownVersions: Guard = ({ query }, _res, next) => {
  if (query['sid'] !== undefined || VERSIONS.has(query['EIO'])) next()
  else next(new Error('unknown version of Engine.IO'))
}

/**
 * Ends a connection whose client comes back after its time. Engine.IO does so by two timers one after the other, which a busy process
 * runs late: then the same poll would be served or not as it happens.
 */
function endOverdue(engine: EngineServer, silenceMs: number, now: () => number): Guard {
  const heardAt = new WeakMap<object, number>()
  onPolling(engine, (connection) => {
    heardAt.set(connection, now())
    connection.on('packet', onPacket)
  })
  // Shared by all connections, which are `this`.
  function onPacket(this: EngineConnection): void {
    heardAt.set(this, now())
  }
  return ({ method, query }, _res, next) => {
    const connection = method === 'GET' ? engineConnection(engine, query['sid']) : undefined
    const at = connection && heardAt.get(connection)
    if (at !== undefined && now() - at >= silenceMs) connection?.close(true)
    next()
  }
}

function watchPolls(engine: EngineServer, now: () => number): Guard {
  const isRepeated = createRepeatedPolls()
  const overtaken = createOvertakenPolls()

  onPolling(engine, (connection) => {
    connection.on('close', onClose)
  })
  // Shared by all connections, which are `this`.
  function onClose(this: EngineConnection, reason: string): void {
    if (reason === 'transport close' && this.transport.name === 'polling')
      overtaken.closed(this, sidOf(this), now())
  }

  return ({ method, query }, res, next) => {
    const { sid, transport, t, j } = query
    if (sid === undefined || transport !== 'polling') {
      next()
      return
    }
    const connection = engineConnection(engine, sid)
    if (connection !== undefined) {
      if (isRepeated(connection, { method, t })) connection.close(true)
      else overtaken.arrived(connection, method, res)
      next()
    } else if (method === 'GET' && j === undefined && overtaken.take(sid, now())) {
      res.writeHead(200, {
        'content-type': 'text/plain; charset=UTF-8',
        'cache-control': 'no-store',
      })
      res.end(query['EIO'] === '4' ? NOOP : NOOP_V3)
    } else next()
  }
}

/** How long a poll waits for the end of an upgrade: as long as Engine.IO takes to end one that is open then. In milliseconds. */
const UPGRADE_WAIT_MS = 100

/**
 * A client that upgrades sends no poll after the packet that ends the upgrade, but without stickiness the two go different ways, and
 * a poll that came after it must not be served because it arrived before it. Any other one is answered a moment later.
 */
function holdWhileUpgrading(engine: EngineServer): Guard {
  /** Those whose websocket was there and answered: before that the client goes on polling. */
  const probed = new WeakSet<object>()
  onPolling(engine, (connection) => {
    connection.on('upgrading', () => probed.add(connection))
  })
  return ({ method, query, upgrade }, res, next) => {
    const isPoll = method === 'GET' && upgrade === undefined
    const connection = isPoll ? engineConnection(engine, query['sid']) : undefined
    if (connection === undefined || !probed.has(connection) || !isUpgrading(connection)) {
      next()
      return
    }
    const goOn = (): void => {
      clearTimeout(timer)
      connection.off('upgrade', goOn)
      connection.off('close', goOn)
      if (!res.destroyed) next()
      // As Engine.IO does with a poll that is given up.
      else if (connection.transport.name === 'polling') connection.close(true)
    }
    const timer = setTimeout(goOn, UPGRADE_WAIT_MS)
    connection.once('upgrade', goOn)
    connection.once('close', goOn)
  }
}

/** With what Engine.IO ends a poll that has nothing to bring: in version 3 packets have their length before them. */
const NOOP = '6'
const NOOP_V3 = '1:6'
