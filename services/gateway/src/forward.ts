import { Agent, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Log } from '@roomcast/runtime'
import type { Facts } from './facts.ts'
import type { Peers } from './peers.ts'
import type { SessionIds } from './session-id.ts'

/** Marks a request that another gateway has sent on: it is answered here, whatever it asks for, so that none goes around in circles. */
const FORWARDED_HEADER = 'x-roomcast-forwarded'
/** How long connecting to the owner may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000
/** Connections for polling requests that are kept open to one gateway while idle. */
const IDLE_CONNECTIONS_MAX = 64
/** For how long, in milliseconds: far shorter than the owner keeps them, or it might close one just as a request is sent over it. */
const IDLE_CONNECTION_MS = 20_000
/** Headers that are about one connection and not about the request (RFC 9110, section 7.6.1), or were answered here already. */
const HOP_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

type OnRequest = (req: IncomingMessage, res: ServerResponse) => void
type OnUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Stands before Engine.IO on the HTTP server: polling requests and websocket upgrades of a session that another gateway holds are sent
 * on to it, as they are and in both directions, so that the cluster works behind any load balancer. Everything else goes its way.
 */
export function forwardStrays(
  server: Server,
  options: {
    /** Path of Engine.IO's endpoint, with its slash at the end. */
    readonly path: string
    readonly instance: string
    readonly ids: SessionIds
    readonly peers: Peers
    /**
     * How long an owner that lives can be silent, in milliseconds: it pings every connection, and ends a poll by that. One that is
     * silent for longer was stopped or its machine is gone, without a word that would end the connection to it.
     */
    readonly silenceMs: number
    readonly facts: Facts
    readonly log: Log
  },
): { close(): void } {
  const { path, instance, ids, peers, silenceMs, facts, log } = options
  const agent = new Agent({
    keepAlive: true,
    maxFreeSockets: IDLE_CONNECTIONS_MAX,
    timeout: IDLE_CONNECTION_MS,
  })
  /** Upgraded connections of other gateways' sessions: the server does not end those by itself. */
  const streams = new Set<Duplex>()
  const onRequest = server.listeners('request') as OnRequest[]
  const onUpgrade = server.listeners('upgrade') as OnUpgrade[]

  // Engine.IO's own answer for a session that it does not know: clients then begin a new one, and recover.
  const serve: OnRequest = (req, res) => {
    for (const listener of onRequest) listener(req, res)
  }
  const serveUpgrade: OnUpgrade = (req, socket, head) => {
    for (const listener of onUpgrade) listener(req, socket, head)
  }

  /** The other gateway that a request is for. */
  const ownerOf = (req: IncomingMessage): string | undefined => {
    const { url = '' } = req
    // A preflight can be answered anywhere, and a forwarded request only here.
    if (!url.startsWith(path) || req.method === 'OPTIONS') return undefined
    if (req.headers[FORWARDED_HEADER] !== undefined) return undefined
    // Most handshakes name no session, in whatever spelling: those are spared the parsing.
    if (!/sid=|%/.test(url)) return undefined
    const query = url.indexOf('?')
    const sid = query === -1 ? null : new URLSearchParams(url.slice(query)).get('sid')
    const owner = sid === null ? undefined : ids.ownerOf(sid)
    return owner === instance ? undefined : owner
  }

  const marked = (headers: readonly string[]): string[] => [...headers, FORWARDED_HEADER, instance]

  const forwardRequest = async (
    owner: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> => {
    const address = await peers.addressOf(owner)
    if (res.destroyed) return
    if (address === undefined) {
      serve(req, res)
      return
    }
    facts.forwarded('request')
    const { host, port } = split(address)
    const upstream = request({
      agent,
      host,
      port,
      method: req.method,
      path: req.url,
      headers: marked(endToEnd(req.rawHeaders)),
      timeout: silenceMs,
    })
    upstream.on('timeout', () => upstream.destroy(new Error('the owner is silent')))
    upstream.once('socket', (socket) => {
      if (!socket.connecting) return
      const timer = setTimeout(
        () => upstream.destroy(new Error('connecting took too long')),
        CONNECT_TIMEOUT_MS,
      )
      socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer))
    })
    upstream.once('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, endToEnd(answer.rawHeaders))
      answer.pipe(res)
      // An answer that breaks off must not look whole.
      answer.once('error', () => res.destroy())
    })
    upstream.on('error', (error) => {
      if (res.destroyed) return
      log.debug({ err: error, owner }, 'request could not be forwarded')
      if (res.headersSent) res.destroy()
      else serve(req, res)
    })
    res.once('close', () => {
      if (!res.writableFinished) upstream.destroy()
    })
    req.pipe(upstream)
  }

  const forwardUpgrade = async (
    owner: string,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> => {
    // A client that goes away while its owner is looked up.
    socket.on('error', () => socket.destroy())
    const address = await peers.addressOf(owner)
    if (socket.destroyed) return
    if (address === undefined) {
      serveUpgrade(req, socket, head)
      return
    }
    facts.forwarded('upgrade')
    const upstream = connect(split(address))
    streams.add(upstream)
    upstream.setTimeout(CONNECT_TIMEOUT_MS)
    upstream.on('timeout', () => upstream.destroy(new Error('the owner is silent')))
    upstream.once('connect', () => {
      upstream.setTimeout(silenceMs)
      upstream.setNoDelay(true)
      upstream.write(`${requestLines(req, marked(req.rawHeaders))}\r\n\r\n`)
      upstream.write(head)
      upstream.pipe(socket, { end: false })
      socket.pipe(upstream)
    })
    upstream.on('error', (error) =>
      log.debug({ err: error, owner }, 'upgrade could not be forwarded'),
    )
    upstream.once('close', (hasFailed) => {
      streams.delete(upstream)
      if (socket.destroyed) return
      if (upstream.bytesRead === 0) serveUpgrade(req, socket, head)
      else if (hasFailed) socket.destroy()
      // What the owner sent last may still wait for a client that reads slowly.
      else endWithin(silenceMs, socket)
    })
    socket.once('close', () => upstream.destroy())
  }

  server.removeAllListeners('request').removeAllListeners('upgrade')
  server.on('request', (req, res) => {
    const owner = ownerOf(req)
    if (owner !== undefined) void forwardRequest(owner, req, res)
    else serve(req, res)
  })
  server.on('upgrade', (req, socket, head) => {
    const owner = ownerOf(req)
    if (owner !== undefined) void forwardUpgrade(owner, req, socket, head)
    else serveUpgrade(req, socket, head)
  })
  return {
    /** Ends what passes through here; those clients come back by another way, and are recovered. */
    close() {
      agent.destroy()
      for (const stream of streams) stream.destroy()
    },
  }
}

function split(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}

/** Raw headers, name by name and value by value, without those that are about one connection. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter(
    (_, i) => !HOP_HEADERS.has((rawHeaders[i - (i % 2)] ?? '').toLowerCase()),
  )
}

/** Ends a stream when all that was written to it is sent, and anyhow after a time. */
function endWithin(limitMs: number, stream: Duplex): void {
  const timer = setTimeout(() => stream.destroy(), limitMs)
  stream.once('close', () => clearTimeout(timer))
  stream.end(() => stream.destroy())
}

/** A request's head as it came, with the headers given. */
function requestLines(req: IncomingMessage, headers: readonly string[]): string {
  const lines = [`${req.method} ${req.url} HTTP/1.1`]
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
  return lines.join('\r\n')
}
