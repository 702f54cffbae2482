import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { clientFrame, frameReader, OPCODE } from './frames.ts'

/** Bytes that one read takes at most. One such buffer serves all connections of a process: reads are handled one after another. */
export const READ_BUFFER_BYTES = 65_536
/** Bytes of an answer to the upgrade request. */
const ANSWER_MAX_BYTES = 16_384

/** What the first bytes of packets mean: of Engine.IO's, and of Socket.IO's within its messages. */
const OPEN = 0x30
const PING = 0x32
const MESSAGE = 0x34

export interface RawOptions {
  readonly url: string
  /** The room in the main namespace. */
  readonly room: string
  /** One of 127.0.0.0/8, when one address has too few ports. */
  readonly localAddress?: string | undefined
  /** Send the headers that a browser sends: servers may keep them. */
  readonly isBrowser?: boolean
  /** What the CONNECT packet carries: `pid` and `offset` of one who comes back. */
  readonly connectPayload?: object | undefined
  /** Shared by the connections of a process, of `READ_BUFFER_BYTES`. */
  readonly readBuffer: Buffer
}

export interface RawListener {
  /** A Socket.IO packet: `buffer` from `start` to `end`, and only until the call returns. */
  packet(buffer: Buffer, start: number, end: number): void
  /** The end, once, with its reason; also of an attempt. */
  closed(reason: string): void
}

export interface RawConnection {
  /** Sends a Socket.IO packet. */
  send(packet: string): void
  /** Reads nothing from now on, so that the server's writes pile up. */
  stall(): void
  /** Leaves the namespace and closes the connection. */
  leave(): void
  /** Breaks the connection without a word. */
  destroy(): void
}

/**
 * A Socket.IO connection over a plain websocket, of which only what a client needs is spoken: the upgrade, CONNECT, answers to pings.
 * Packets are handed over as bytes, so that counting them costs next to nothing.
 */
export function openRaw(options: RawOptions, listener: RawListener): RawConnection {
  const { host } = new URL(options.url)
  let answer: Buffer | undefined = Buffer.alloc(0)
  let isOver = false
  let why: string | undefined
  const end = (reason: string): void => {
    why ??= reason
    socket.destroy()
  }

  const read = frameReader((opcode, buffer, start, stop) => {
    if (opcode === OPCODE.text) {
      const type = buffer[start]
      if (type === MESSAGE) listener.packet(buffer, start + 1, stop)
      else if (type === PING) socket.write(clientFrame(OPCODE.text, '3'))
      else if (type === OPEN)
        send(
          `0${options.connectPayload === undefined ? '' : JSON.stringify(options.connectPayload)}`,
        )
      else if (type !== undefined) end(`packet ${String.fromCharCode(type)}`)
    } else if (opcode === OPCODE.ping) {
      socket.write(clientFrame(OPCODE.pong, buffer.toString('utf8', start, stop)))
    } else if (opcode === OPCODE.close) {
      end('closed by the server')
    }
  })

  const send = (packet: string): void => {
    socket.write(clientFrame(OPCODE.text, `4${packet}`))
  }

  const take = (chunk: Buffer, length: number): void => {
    if (why !== undefined) return
    if (answer === undefined) {
      read(chunk, 0, length)
      return
    }
    answer = Buffer.concat([answer, chunk.subarray(0, length)])
    const head = answer.indexOf('\r\n\r\n')
    if (head === -1) {
      if (answer.length > ANSWER_MAX_BYTES) end('no answer to the upgrade')
      return
    }
    const status = answer.toString('latin1', 9, 12)
    if (status !== '101') {
      end(`HTTP ${status}`)
      return
    }
    const rest = answer.subarray(head + 4)
    answer = undefined
    read(rest, 0, rest.length)
  }

  const socket = dial(options, take)
  socket.on('error', (error: NodeJS.ErrnoException) => {
    why ??= error.code ?? error.message
  })
  socket.on('close', () => {
    if (isOver) return
    isOver = true
    listener.closed(why ?? 'connection lost')
  })
  socket.write(upgradeRequest(host, options))
  return {
    send,
    stall: () => void socket.pause(),
    leave() {
      if (answer === undefined) send('1')
      socket.end()
    },
    destroy: () => end('closed by us'),
  }
}

/** Opens the connection; over TLS what is read is a Buffer of its own each time. */
function dial(
  { url, localAddress, readBuffer }: RawOptions,
  take: (chunk: Buffer, length: number) => void,
): Socket {
  const { protocol, hostname, port } = new URL(url)
  const isTls = protocol === 'https:'
  const target = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port === '' ? (isTls ? 443 : 80) : port),
    ...(localAddress === undefined ? {} : { localAddress }),
  }
  if (isTls) {
    // An address is no name that a certificate could be chosen by.
    const name = isIP(target.host) === 0 ? { servername: hostname } : {}
    const socket = connectTls({ ...target, ...name, ALPNProtocols: ['http/1.1'] })
    return socket.on('data', (chunk: Buffer) => take(chunk, chunk.length))
  }
  const callback = (length: number, buffer: Uint8Array): boolean => {
    take(buffer as Buffer, length)
    return true
  }
  return connect({ ...target, noDelay: true, onread: { buffer: readBuffer, callback } })
}

/** What a current browser sends with a websocket's upgrade from a page with a few cookies. */
const BROWSER_HEADERS = [
  'Pragma: no-cache',
  'Cache-Control: no-cache',
  'User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7,en-US;q=0.6',
  'Cookie: session=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY; theme=dark; _ga=GA1.2.1234567890.1700000000; consent=all',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
  'X-Forwarded-For: 203.0.113.57',
  'X-Forwarded-Proto: https',
  'X-Request-Id: 5f0c2f5be3a44b7c9a9a3a1c7e3d2b10',
]

function upgradeRequest(host: string, { room, isBrowser = false }: RawOptions): string {
  return [
    `GET /socket.io/?roomid=${encodeURIComponent(room)}&EIO=4&transport=websocket HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: cm9vbWNhc3Qgcm9vbWNhcw==',
    // Of a page that the same host serves.
    ...(isBrowser ? [`Origin: https://${host}`, ...BROWSER_HEADERS] : []),
    '\r\n',
  ].join('\r\n')
}
