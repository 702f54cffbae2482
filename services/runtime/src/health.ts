import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Telemetry } from './telemetry.ts'

/** How often a latch looks at its condition, in milliseconds. */
const LATCH_INTERVAL_MS = 100

/** Whether something was ever so: an outage that comes later does not make a service unready, since another replica has it as well. */
export interface Latch {
  isSet(): boolean
  close(): void
}

/** Looks at the condition until it holds for the first time. */
export function latch(condition: () => boolean): Latch {
  let isSet = condition()
  const timer = setInterval(() => {
    isSet ||= condition()
    if (isSet) clearInterval(timer)
  }, LATCH_INTERVAL_MS)
  timer.unref()
  return { isSet: () => (isSet ||= condition()), close: () => clearInterval(timer) }
}

export interface Health {
  readonly port: number
  close(): Promise<void>
}

/**
 * Serves the metrics port: `/metrics`, `/livez` (the process answers) and `/readyz` (200 while `notReadyBecause` returns undefined,
 * else 503 with its reason). The same is the gauge `roomcast_ready`.
 */
export async function serveHealth(
  { host, port }: { host: string; port: number },
  {
    telemetry,
    notReadyBecause,
  }: { telemetry: Telemetry; notReadyBecause: () => string | undefined },
): Promise<Health> {
  telemetry.meter
    .createObservableGauge('roomcast_ready', {
      description: '1 while the service is ready, as `/readyz` tells it, else 0.',
    })
    .addCallback((gauge) => gauge.observe(notReadyBecause() === undefined ? 1 : 0))
  const server = createServer((req, res) => {
    const path = (req.url ?? '/').split('?')[0]
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.writeHead(405, { allow: 'GET, HEAD' }).end()
    } else if (path === '/metrics') {
      telemetry.scrape(req, res)
    } else if (path === '/livez') {
      res.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
    } else if (path === '/readyz') {
      const reason = notReadyBecause()
      res
        .writeHead(reason === undefined ? 200 : 503, { 'content-type': 'text/plain' })
        .end(`${reason ?? 'ok'}\n`)
    } else {
      res.writeHead(404).end()
    }
  })
  const listening = await listen(server, host, port)
  return { port: listening, close: () => closeServer(server) }
}

/** Listens and returns the port; rejects with a sentence that a person can act on when it is taken. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw listenFault(error, host, port)
  }
  return (server.address() as AddressInfo).port
}

/** A start that failed for a reason outside the program; its message is all that a person needs. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/** What to tell a person when listening failed. */
export function listenFault(error: unknown, host: string, port: number): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') {
    return new StartError(
      `port ${port} on ${host} is taken by another program: end it, or choose another port`,
    )
  }
  if (code === 'EACCES')
    return new StartError(`port ${port} on ${host} needs more rights: choose one above 1023`)
  if (code === 'EADDRNOTAVAIL') return new StartError(`${host} is not an address of this machine`)
  return error instanceof Error ? error : new Error(String(error))
}

/** Stops accepting and ends what is open: a connection that never sent a request would otherwise hold the end up for ever. */
async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
