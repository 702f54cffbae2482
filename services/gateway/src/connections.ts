import type { TransportName } from '@roomcast/protocol'
import type { Server as EngineServer, Socket as EngineConnection } from 'engine.io'
import { closeReasonOf } from './chat.ts'
import { terminateConnection } from './engine/connection.ts'
import { releaseTransport } from './engine/slim.ts'
import type { CloseReason, Facts } from './facts.ts'

/** How long a connection that was asked to close may take, in milliseconds: a polling client may have no request open to be told by. */
const CLOSE_WAIT_MS = 2_000

/** The open connections, whether or not they are in a room. */
export interface Connections {
  readonly byTransport: Readonly<Record<TransportName, number>>
  open(): number
  /** Connections that were asked to close and are still open. */
  closing(): number
  /**
   * Ends so many connections, the oldest first, so that their clients come back by themselves: the transport is closed, never with a
   * disconnect packet, which tells them to stay away. What was written before is sent; after `CLOSE_WAIT_MS` it is over.
   */
  close(count: number, reason: CloseReason): void
  /** The same for this one. */
  end(connection: EngineConnection, reason: CloseReason): void
  /** Says why a connection is about to end, where that is known better than Engine.IO will tell. */
  blame(connection: object, reason: CloseReason): void
}

/** Counts connections by the transport that they use now. `onChange` is called after each change. */
export function countConnections(
  engine: EngineServer,
  facts: Facts,
  onChange: () => void,
): Connections {
  const byTransport: Record<TransportName, number> = { websocket: 0, polling: 0 }
  /** In the order in which they came, with how each is counted. */
  const open = new Map<EngineConnection, TransportName>()
  const closing = new Set<EngineConnection>()
  const blamed = new WeakMap<object, CloseReason>()

  const nameOf = (connection: EngineConnection): TransportName =>
    connection.transport.name === 'websocket' ? 'websocket' : 'polling'

  const count = (connection: EngineConnection): void => {
    const transport = nameOf(connection)
    open.set(connection, transport)
    byTransport[transport]++
  }
  const discount = (connection: EngineConnection): void => {
    const transport = open.get(connection)
    if (transport !== undefined) byTransport[transport]--
  }

  // Shared by all connections, which are `this`: a function of its own for each would be memory that idle ones hold.
  function onUpgrade(this: EngineConnection): void {
    discount(this)
    count(this)
    releaseTransport(this)
    onChange()
  }
  function onClose(this: EngineConnection, reason: string): void {
    discount(this)
    open.delete(this)
    closing.delete(this)
    facts.connectionClosed(blamed.get(this) ?? closeReasonOf(reason))
    onChange()
  }
  engine.on('connection', (connection: EngineConnection) => {
    count(connection)
    facts.connectionOpened()
    onChange()
    if (nameOf(connection) === 'polling') connection.on('upgrade', onUpgrade)
    connection.on('close', onClose)
  })

  const close = (connection: EngineConnection): void => {
    closing.add(connection)
    connection.close()
    setTimeout(() => {
      if (open.has(connection)) terminateConnection(connection)
    }, CLOSE_WAIT_MS)
  }

  const end = (connection: EngineConnection, reason: CloseReason): void => {
    if (!open.has(connection) || closing.has(connection)) return
    blamed.set(connection, reason)
    close(connection)
  }

  return {
    byTransport,
    open: () => open.size,
    closing: () => closing.size,
    close(count, reason) {
      let left = count
      for (const connection of open.keys()) {
        if (left === 0) return
        if (closing.has(connection)) continue
        left--
        end(connection, reason)
      }
    },
    end,
    blame: (connection, reason) => void blamed.set(connection, reason),
  }
}
