import type { IncomingMessage } from 'node:http'
import type { ChatServer, ChatSocket } from '../sockets.ts'

type Auth = Readonly<Record<string, unknown>>

/** A connection that wants to enter a namespace. */
export interface Entrant {
  /** What its CONNECT packet carries, in v2 the query of the namespace. */
  readonly auth: Auth
  /** The query of the connection's first request. */
  readonly query: Readonly<Record<string, unknown>>
  /** One for all namespaces of a connection. */
  readonly connection: object
  isOpen(): boolean
}

interface InsideClient {
  readonly conn: { readonly readyState: string; readonly request: IncomingMessage }
}

interface InsideNamespace {
  _createSocket(client: InsideClient, auth: Auth): Promise<ChatSocket>
}

/**
 * Calls `create` where Socket.IO makes a socket from a CONNECT packet. Middlewares come too late for a look at credentials: by then it
 * has restored the session that was asked for. `make` makes the socket, with what is to be its `handshake.auth`.
 */
export function onCreation(
  io: ChatServer,
  create: (entrant: Entrant, make: (auth: Auth) => Promise<ChatSocket>) => Promise<ChatSocket>,
): void {
  const intervene = (namespace: object): void => {
    const inside = namespace as InsideNamespace
    const make = inside._createSocket.bind(inside)
    inside._createSocket = (client, auth) => {
      const { conn } = client
      const { _query: query = {} } = conn.request as { _query?: Record<string, unknown> }
      const isOpen = (): boolean => conn.readyState === 'open'
      return create({ auth, query, connection: conn, isOpen }, (changed) => make(client, changed))
    }
  }
  intervene(io.of('/'))
  io.on('new_namespace', intervene)
}
