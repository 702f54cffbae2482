import type { ServerResponse } from 'node:http'

/** Bytes that may wait for a client that reads slowly. Over it the stream is ended: the client comes back and gets the whole state. */
const BUFFER_MAX_BYTES = 1_048_576
/** How long a client may take to read what an ended stream still has for it, in milliseconds. */
const END_GRACE_MS = 2_000
/** What a client waits before it comes back, in milliseconds. */
const RETRY_MS = 1_000

/** A server-sent event as it goes over the wire. JSON has no line break, so `data` is one line. */
export function encodeEvent(event: string, data: unknown): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

export function encodeComment(text: string): Buffer {
  return Buffer.from(`: ${text}\n\n`)
}

/** A response of server-sent events. It takes nothing more once it is over: ended here, too slow, or left by its client. */
export class EventStream {
  readonly #res: ServerResponse
  readonly #bufferBytes: number
  readonly #onTooSlow: () => void
  readonly #over = new AbortController()

  constructor(
    res: ServerResponse,
    {
      onTooSlow,
      bufferBytes = BUFFER_MAX_BYTES,
    }: { readonly onTooSlow: () => void; readonly bufferBytes?: number },
  ) {
    this.#res = res
    this.#bufferBytes = bufferBytes
    this.#onTooSlow = onTooSlow
    res.once('close', () => this.#over.abort())
    // An `error` is followed by `close`.
    res.on('error', () => undefined)
    if (res.destroyed) this.#over.abort()
  }

  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Sends the head, and how soon to come back. */
  open(): void {
    if (this.over.aborted) return
    this.#res.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // Proxies of nginx's kind hold events back otherwise.
      'x-accel-buffering': 'no',
    })
    this.send(Buffer.from(`retry: ${RETRY_MS}\n\n`))
  }

  /** Sends what was encoded. Many streams may be given the same buffer. */
  send(encoded: Buffer): void {
    if (this.over.aborted) return
    this.#res.write(encoded)
    if (this.#res.writableLength <= this.#bufferBytes) return
    this.#onTooSlow()
    this.end('too slow')
  }

  /** Ends the stream with a comment, and cuts it when its client does not read that in time. Idempotent. */
  end(comment: string): void {
    if (this.over.aborted) return
    this.#over.abort()
    const timer = setTimeout(() => this.#res.destroy(), END_GRACE_MS)
    this.#res.once('close', () => clearTimeout(timer))
    this.#res.end(encodeComment(comment))
  }
}
