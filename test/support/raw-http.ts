import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { until, within, PATIENCE_MS } from './processes.ts'

/** A TCP connection over which a test sends what no client would. */
export interface RawConnection extends Disposable {
  readonly socket: Socket
  /** All that came so far. */
  received(): Buffer
  text(): string
  isClosed(): boolean
  send(bytes: string | Buffer): void
  /** Resolves with all that came, when the other side has closed the connection. */
  closed(timeoutMs?: number): Promise<string>
}

export async function openRaw(url: string, localAddress?: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect({
    host: hostname,
    port: Number(port),
    ...(localAddress === undefined ? {} : { localAddress }),
  })
  const chunks: Buffer[] = []
  let isClosed = false
  const closing = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true
      resolve()
    })
  })
  socket.on('data', (chunk) => chunks.push(chunk))
  // Resets are among what is expected.
  socket.on('error', () => undefined)
  await within(
    PATIENCE_MS,
    'a connection',
    new Promise((resolve) => void socket.once('connect', resolve)),
  )
  const text = (): string => Buffer.concat(chunks).toString('latin1')
  return {
    socket,
    received: () => Buffer.concat(chunks),
    text,
    isClosed: () => isClosed,
    send: (bytes) => void socket.write(bytes),
    async closed(timeoutMs = PATIENCE_MS) {
      await within(timeoutMs, `the end of the connection; it got ${text().slice(0, 200)}`, closing)
      return text()
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

/** Sends one request as it stands and returns all that came until the connection was closed. */
export async function rawExchange(url: string, request: string | Buffer): Promise<string> {
  using connection = await openRaw(url)
  connection.send(request)
  return await connection.closed()
}

/** A websocket of Engine.IO whose frames the test writes itself, open and connected to the main namespace. */
export async function openRawWebSocket(
  url: string,
  {
    query = '',
    headers = {},
  }: { readonly query?: string; readonly headers?: Record<string, string> } = {},
): Promise<RawConnection> {
  const connection = await openRaw(url)
  const lines = {
    Host: new URL(url).host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...headers,
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  connection.send(
    `GET /socket.io/?EIO=4&transport=websocket${query} HTTP/1.1\r\n${head.join('')}\r\n`,
  )
  await until('the opening packet', () => connection.text().includes('"sid"'))
  connection.send(frame(1, '40'))
  await until('the connected socket', () => connection.text().includes('40{"sid"'))
  // As every websocket does: a server that closes waits for it.
  connection.socket.on('data', () => {
    if (closeCodeOf(connection.received()) !== undefined) connection.send(frame(8, ''))
  })
  return connection
}

export interface FrameOptions {
  readonly isFinal?: boolean
  readonly isMasked?: boolean
  readonly rsv?: number
  /** The length that the frame claims to have, instead of its own. */
  readonly length?: number
}

/** A frame of RFC 6455 as a client sends it, or as none should. */
export function frame(
  opcode: number,
  payload: string | Buffer,
  { isFinal = true, isMasked = true, rsv = 0, length }: FrameOptions = {},
): Buffer {
  const body = Buffer.from(payload)
  const size = length ?? body.length
  const mask = isMasked ? 0x80 : 0
  const header =
    size < 126
      ? Buffer.from([0, mask | size])
      : size < 65_536
        ? Buffer.from([0, mask | 126, size >> 8, size & 0xff])
        : Buffer.concat([Buffer.from([0, mask | 127]), bigEndian(size)])
  header[0] = (isFinal ? 0x80 : 0) | (rsv << 4) | opcode
  // A mask of zeros leaves the content as it is.
  return Buffer.concat([header, isMasked ? Buffer.alloc(4) : Buffer.alloc(0), body])
}

function bigEndian(size: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(size))
  return bytes
}

/** The code of the close frame that came last, 1005 for one without; undefined when there was none. */
export function closeCodeOf(received: Buffer): number | undefined {
  const at = received.lastIndexOf(0x88)
  const length = received[at + 1] ?? 0
  if (at >= 0 && length === 0 && at + 2 === received.length) return 1005
  return at >= 0 && length >= 2 && at + 2 + length === received.length
    ? received.readUInt16BE(at + 2)
    : undefined
}
