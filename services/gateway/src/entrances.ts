import type { Server as EngineServer, Socket as EngineConnection } from 'engine.io'
import type { Connections } from './connections.ts'

/** How often connections that are late are looked for, in milliseconds: they last so much longer at most. */
const SWEEP_INTERVAL_MS = 1_000

/** Ends connections that were opened and never entered a namespace. */
export interface Entrances {
  /** The connection has entered its first namespace. */
  entered(connection: object): void
  close(): void
}

/**
 * One timer for all. Socket.IO closes such connections as well, in the polite way for which a polling client that sends no request can be
 * waited for half a minute.
 */
export function watchEntrances(
  engine: EngineServer,
  options: {
    readonly timeoutMs: number
    readonly connections: Pick<Connections, 'end'>
    readonly now: () => number
  },
): Entrances {
  const { timeoutMs, connections, now } = options
  /** When those were opened that have not entered yet, oldest first. */
  const outside = new Map<EngineConnection, number>()
  engine.on('connection', (connection: EngineConnection) => void outside.set(connection, now()))
  const timer = setInterval(() => {
    for (const [connection, openedAt] of outside) {
      if (now() - openedAt < timeoutMs) return
      outside.delete(connection)
      connections.end(connection, 'no_connect')
    }
  }, SWEEP_INTERVAL_MS)
  timer.unref()
  return {
    entered: (connection) => void outside.delete(connection as EngineConnection),
    close: () => clearInterval(timer),
  }
}
