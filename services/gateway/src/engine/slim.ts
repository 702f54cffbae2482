import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { ChatSocket } from '../sockets.ts'
import type { InnerWebSocket } from './internals.ts'

type Headers = IncomingMessage['headers']

interface Connection extends EventEmitter {
  /** The first request, or what is left of it: the handshakes of further namespaces read it. */
  request: {
    readonly headers: Headers
    readonly _query: unknown
    readonly connection: { readonly encrypted?: boolean }
  }
  cleanupFn: unknown[]
  readonly transport: EventEmitter & { readonly socket?: InnerWebSocket & EventEmitter }
}

interface Inside extends EventEmitter {
  readonly handshake: { headers: Headers; auth: Readonly<Record<string, unknown>> }
  readonly conn: Connection
  readonly client: { readonly decoder: { readonly _callbacks: Record<string, unknown[]> } }
  _anyListeners?: unknown[]
}

/** The headers of every handshake that is over. */
const NO_HEADERS: Headers = Object.freeze({})

/** The credentials of every handshake that is over and asked for nothing by them. */
const NO_AUTH = Object.freeze({})

/**
 * Lets go of what nobody asks for once a socket is connected, nearly half of an idle connection's heap: the first request with its
 * headers, the handshake's listeners that keep it, and what arrays and tables were given to grow. For each socket when its listeners are
 * in place. `handshake.headers` is empty from then on, and `handshake.auth` has `retries` alone: what else a client put there would be
 * held for each of its namespaces.
 */
export function releaseHandshake(socket: ChatSocket): void {
  const inside = socket as unknown as Inside
  const { handshake, conn, client } = inside
  const { _query, connection } = conn.request
  handshake.headers = NO_HEADERS
  handshake.auth = handshake.auth['retries'] ? { retries: true } : NO_AUTH
  conn.request = {
    headers: NO_HEADERS,
    _query,
    connection: { encrypted: connection.encrypted === true },
  }
  if (inside._anyListeners !== undefined) inside._anyListeners = [...inside._anyListeners]
  const { _callbacks } = client.decoder
  for (const [event, listeners] of Object.entries(_callbacks)) _callbacks[event] = [...listeners]
  tighten(inside)
  releaseTransport(conn)
}

/** The same for the websocket that a connection has upgraded to. */
export function releaseTransport(connection: object): void {
  const conn = connection as Connection
  const { transport } = conn
  const { socket: websocket } = transport
  conn.cleanupFn = [...conn.cleanupFn]
  tighten(conn)
  if (websocket === undefined) return
  // It tells of the headers of polling answers.
  transport.removeAllListeners('headers')
  remove(websocket, 'error', ({ name }) => name === 'onUpgradeError')
  // It tells the response of the handshake, which keeps the request, that the connection is over.
  const tcp = websocket._socket
  if (tcp) remove(tcp, 'close', (listener) => Object.hasOwn(listener, 'listener'))
  tighten(transport)
  tighten(websocket)
}

type Listener = (...args: unknown[]) => void

function remove(
  emitter: EventEmitter,
  event: string,
  matches: (listener: Listener) => boolean,
): void {
  for (const listener of emitter.rawListeners(event) as Listener[])
    if (matches(listener)) emitter.removeListener(event, listener)
}

/** Replaces an emitter's table of listeners, a hash table with room to grow, by an object of the same content that takes a third. */
function tighten(emitter: EventEmitter): void {
  const inside = emitter as unknown as { _events: object }
  inside._events = Object.setPrototypeOf({ ...inside._events }, null) as object
}
