import type { Server as EngineServer, Socket as EngineConnection } from 'engine.io'
import type { Connections } from './connections.ts'
import { terminateConnection, unsentOf, websocketOf } from './engine/connection.ts'
import type { InnerWebSocket } from './engine/internals.ts'
import type { Facts } from './facts.ts'
import { assertPace } from './pace.ts'
import { BURST_SECONDS } from './token-bucket.ts'

/** What a connection may still send: below 0 its events are refused, and at the same amount below it is ended. */
interface Allowance {
  packets: number
  bytes: number
  /** When that was so, in milliseconds. */
  at: number
}

interface Watched {
  [ALLOWANCE]?: Allowance
}
interface WatchedWebSocket {
  [CONNECTION]?: EngineConnection
}

const ALLOWANCE = Symbol('allowance')
const CONNECTION = Symbol('connection')

/** A frame of the websocket protocol itself, such as a ping, in bytes: it has up to 125 of content. */
const CONTROL_FRAME_BYTES = 125

/** Bounds what one connection sends, in all of its namespaces together, and what waits for one that does not read its answers. */
export interface Floods {
  /** Throws `ClientError` `rate_limited` when the connection has sent more than it may. */
  check(connection: EngineConnection): void
}

/**
 * Packets are counted before anything in them is looked at. Ten seconds' worth of both rates may come at once. Who is over it has his events
 * refused, who goes on and is as much over it again is ended (`flood`).
 */
export function watchFloods(
  engine: EngineServer,
  options: {
    readonly packetsPerSecond: number
    readonly bytesPerSecond: number
    readonly slowClientBytes: number
    readonly connections: Pick<Connections, 'blame'>
    readonly facts: Facts
    readonly now: () => number
  },
): Floods {
  const { packetsPerSecond, bytesPerSecond, slowClientBytes, connections, facts, now } = options
  const packetsMax = BURST_SECONDS * packetsPerSecond
  const bytesMax = BURST_SECONDS * bytesPerSecond

  const end = (connection: EngineConnection, reason: 'flood' | 'slow'): void => {
    connections.blame(connection, reason)
    terminateConnection(connection)
  }

  const count = (connection: EngineConnection, size: number): void => {
    const watched = connection as Watched
    const at = now()
    const left = (watched[ALLOWANCE] ??= { packets: packetsMax, bytes: bytesMax, at })
    const seconds = (at - left.at) / 1_000
    left.packets = Math.min(packetsMax, left.packets + seconds * packetsPerSecond) - 1
    left.bytes = Math.min(bytesMax, left.bytes + seconds * bytesPerSecond) - size
    left.at = at
    if (left.packets < -packetsMax || left.bytes < -bytesMax) end(connection, 'flood')
    // Every answer is asked for: here, and not only when a room is told something, one who reads none of them is found out.
    else if (unsentOf(connection) > slowClientBytes) end(connection, 'slow')
  }

  // Shared by all connections, which are `this`: a function of its own for each would be memory that idle ones hold.
  function onPacket(this: EngineConnection, { data }: { data?: string | Buffer }): void {
    count(this, data === undefined ? 0 : Buffer.byteLength(data))
  }
  function onPing(this: InnerWebSocket): void {
    const connection = (this as WatchedWebSocket)[CONNECTION]
    if (connection !== undefined) count(connection, CONTROL_FRAME_BYTES)
  }
  function watchWebSocket(this: EngineConnection): void {
    const websocket = websocketOf(this)
    if (websocket === undefined) return
    ;(websocket as WatchedWebSocket)[CONNECTION] = this
    websocket.on('ping', onPing)
  }

  engine.on('connection', (connection: EngineConnection) => {
    connection.on('packet', onPacket)
    if (websocketOf(connection) === undefined) connection.on('upgrade', watchWebSocket)
    else watchWebSocket.call(connection)
  })

  return {
    check(connection) {
      const left = (connection as Watched)[ALLOWANCE]
      if (left === undefined || (left.packets >= 0 && left.bytes >= 0)) return
      const waitMs = Math.ceil(
        1_000 * Math.max(-left.packets / packetsPerSecond, -left.bytes / bytesPerSecond),
      )
      assertPace(facts, 'events', waitMs, 'too much in a short time from this connection')
    },
  }
}
