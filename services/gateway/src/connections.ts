import type { TransportName } from '@roomcast/protocol'
import type { Server as EngineServer, Socket as EngineConnection } from 'engine.io'
import { closeReasonOf } from './chat.ts'
import type { Facts } from './facts.ts'

/** The open connections, whether or not they are in a room. */
export interface Connections {
  readonly byTransport: Readonly<Record<TransportName, number>>
  /** Ends them all so that clients come back by themselves: never with a disconnect packet, which tells them to stay away. */
  closeAll(): void
}

/** Counts connections by the transport that they use now. `onChange` is called after each change. */
export function countConnections(
  engine: EngineServer,
  facts: Facts,
  onChange: () => void,
): Connections {
  const byTransport: Record<TransportName, number> = { websocket: 0, polling: 0 }
  const open = new Set<EngineConnection>()

  const nameOf = (connection: EngineConnection): TransportName =>
    connection.transport.name === 'websocket' ? 'websocket' : 'polling'

  engine.on('connection', (connection: EngineConnection) => {
    let transport = nameOf(connection)
    open.add(connection)
    byTransport[transport]++
    onChange()
    connection.once('upgrade', () => {
      byTransport[transport]--
      transport = nameOf(connection)
      byTransport[transport]++
      onChange()
    })
    connection.once('close', (reason: string) => {
      open.delete(connection)
      byTransport[transport]--
      facts.connectionClosed(closeReasonOf(reason))
      onChange()
    })
  })
  return {
    byTransport,
    closeAll() {
      for (const connection of open) connection.close(true)
    },
  }
}
