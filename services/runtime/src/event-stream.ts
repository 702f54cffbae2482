import type { ServerResponse } from 'node:http'

/** How long a client may take to read what an ended stream still has for it, in milliseconds. */
const END_GRACE_MS = 2_000
/** How long a client may take to make room while it is given what it missed, in milliseconds. */
const DRAIN_WAIT_MS = 30_000
/** What a client waits before it comes back, in milliseconds. */
const RETRY_MS = 1_000

/** One server-sent event. `data` has no line break: JSON escapes them. */
export interface StreamEvent {
  readonly id?: string
  readonly event?: string
  readonly data?: string
}

export function encodeEvent({ id, event, data }: StreamEvent): Buffer {
  const lines = [
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...(data === undefined ? [] : [`data: ${data}`]),
  ]
  return Buffer.from(`${lines.join('\n')}\n\n`)
}

/** A line that clients skip, which keeps a quiet connection open. */
export function encodeComment(text: string): Buffer {
  return Buffer.from(`: ${text}\n\n`)
}

/**
 * A response of server-sent events. What its client does not read waits in memory up to `bufferBytes`; over it the stream is ended
 * and `onTooSlow` is called. A stream that is ended still gives the client what waits, for a short time.
 */
export class EventStream {
  readonly #res: ServerResponse
  readonly #bufferBytes: number
  readonly #onTooSlow: () => void
  readonly #over = new AbortController()

  constructor(
    res: ServerResponse,
    { bufferBytes, onTooSlow }: { readonly bufferBytes: number; readonly onTooSlow: () => void },
  ) {
    this.#res = res
    this.#bufferBytes = bufferBytes
    this.#onTooSlow = onTooSlow
    res.once('close', () => this.#over.abort())
    // An `error` is followed by `close`.
    res.on('error', () => undefined)
    if (res.destroyed) this.#over.abort()
  }

  /** Aborted as soon as the stream takes nothing more: it was ended, or the client went away. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** Sends the head and how soon to come back, and the place to come back to when there is one: an `id` alone makes no event. */
  open(id?: string): void {
    if (this.over.aborted) return
    this.#res.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // Proxies of nginx's kind hold events back otherwise.
      'x-accel-buffering': 'no',
    })
    this.send(Buffer.from(`retry: ${RETRY_MS}\n${id === undefined ? '' : `id: ${id}\n`}\n`))
  }

  /** Sends what was encoded. Many streams may be given the same buffer. */
  send(encoded: Uint8Array): void {
    if (this.over.aborted) return
    this.#res.write(encoded)
    if (this.#res.writableLength <= this.#bufferBytes) return
    this.#onTooSlow()
    this.end('too slow')
  }

  /** Resolves when the client has room for more, or the stream is over. A client that makes none in time is cut off. */
  async drained(): Promise<void> {
    if (this.over.aborted || !this.#res.writableNeedDrain) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.#onTooSlow()
      this.#res.destroy()
    }, DRAIN_WAIT_MS)
    this.#res.once('drain', resolve)
    const giveUp = (): void => resolve()
    this.over.addEventListener('abort', giveUp)
    await promise
    clearTimeout(timer)
    this.#res.off('drain', resolve)
    this.over.removeEventListener('abort', giveUp)
  }

  /** Ends the stream with a comment. Idempotent. */
  end(comment: string): void {
    if (this.over.aborted) return
    this.#over.abort()
    const timer = setTimeout(() => this.#res.destroy(), END_GRACE_MS)
    this.#res.once('close', () => clearTimeout(timer))
    this.#res.end(encodeComment(comment))
  }
}
