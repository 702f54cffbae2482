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
  readonly handshake: {
    headers: Headers
    auth: Readonly<Record<string, unknown>>
    time: string
    url: string
  }
  readonly conn: Connection
  readonly client: { readonly decoder: { readonly _callbacks: Record<string, unknown[]> } }
  _anyListeners?: unknown[]
}

/** The headers of every handshake that is over. */
const NO_HEADERS: Headers = Object.freeze({})

/** What is asked of the socket of a first request. */
const ENCRYPTED = Object.freeze({ encrypted: true })
const PLAIN = Object.freeze({ encrypted: false })

/** The credentials of every handshake that is over and asked for nothing by them. */
const NO_AUTH = Object.freeze({})

/**
 * Lets go of what nobody asks for once a socket is connected, nearly half of an idle connection's heap: the first request with its
 * headers, the handshake's listeners that keep it, and what arrays and tables were given to grow. For each socket when its listeners are
 * in place. `handshake.headers`, `time` and `url` are empty from then on, and `handshake.auth` has `retries` alone: what else a client put there would be
 * held for each of its namespaces.
 */
export function releaseHandshake(socket: ChatSocket): void {
  const inside = socket as unknown as Inside
  const { handshake, conn, client } = inside
  const { _query, connection } = conn.request
  handshake.headers = NO_HEADERS
  handshake.time = ''
  handshake.url = ''
  handshake.auth = handshake.auth['retries'] ? { retries: true } : NO_AUTH
  conn.request = {
    headers: NO_HEADERS,
    _query,
    connection: connection.encrypted === true ? ENCRYPTED : PLAIN,
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

/** Events that come once in the life of what emits them, or after which a second one changes nothing. */
const LAST_EVENTS: readonly string[] = ['close', 'error', 'end']

/**
 * Replaces an emitter's table of listeners, a hash table with room to grow, by an object of the same content that takes a third. What
 * listens once for an event that comes once needs no wrapper that sees to it, which is a function, its context and its properties.
 */
function tighten(emitter: EventEmitter): void {
  const inside = emitter as unknown as { _events: Record<string, Listeners> }
  const events: Record<string, Listeners> = { ...inside._events }
  for (const event of LAST_EVENTS) {
    const listeners = events[event]
    if (typeof listeners === 'function') events[event] = unwrapped(listeners)
    // The list stays the one it is: Node marks those whose event is under way, so that who leaves meanwhile makes nobody be skipped.
    else listeners?.forEach((listener, i) => (listeners[i] = unwrapped(listener)))
  }
  inside._events = Object.setPrototypeOf(events, null) as Record<string, Listeners>
}

type Listeners = Wrapped | Wrapped[] | undefined
type Wrapped = Listener & { readonly listener?: Listener }

const unwrapped = (listener: Wrapped): Wrapped => listener.listener ?? listener
