import { backoffMs } from './backoff.js'
import { createEventParser } from './event-parser.js'
import { keyHeaders } from './key.js'

/** The server says that it lives every 10 s: who is silent for longer than two of that is gone, in milliseconds. */
const SILENCE_MS = 25_000

/**
 * Follows `/v1/events` until it is closed or the key is refused, coming back after every break. By fetch, since EventSource can't send
 * a key.
 *
 * `on.state(view)` comes first after each connect, `on.change(change)` after it; `on.broken(code)` when the connection is lost or
 * refused, with the problem's code if there is one; `on.unauthorized()` at the end, when a key is needed or was refused.
 */
export function followEvents(on) {
  const closed = new AbortController()
  let attempt = 0

  async function follow() {
    while (!closed.signal.aborted) {
      const code = await connect().catch(() => undefined)
      if (closed.signal.aborted) return
      // A key that lacks the right is refused as one that is unknown: another one has to be entered.
      if (code === 'unauthorized' || code === 'forbidden') {
        on.unauthorized()
        return
      }
      on.broken(code)
      await pause(backoffMs(++attempt), closed.signal)
    }
  }

  /** Reads one connection to its end. Returns the code of a refusal. */
  async function connect() {
    const silent = new AbortController()
    let timer
    const hear = () => {
      clearTimeout(timer)
      timer = setTimeout(() => silent.abort(), SILENCE_MS)
    }
    hear()
    try {
      const response = await fetch('/v1/events', {
        headers: keyHeaders(),
        cache: 'no-store',
        signal: AbortSignal.any([closed.signal, silent.signal]),
      })
      if (!response.ok) return (await response.json()).code
      const parser = createEventParser((name, data) => {
        if (closed.signal.aborted) return
        if (name === 'state') {
          attempt = 0
          on.state(JSON.parse(data))
        } else if (name === 'change') on.change(JSON.parse(data))
      })
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        hear()
        parser.feed(part.value)
      }
      return undefined
    } finally {
      clearTimeout(timer)
      silent.abort()
    }
  }

  void follow()
  return { close: () => closed.abort() }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
