import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { servePage } from '@roomcast/runtime/page'
import { fastify, type FastifyInstance } from 'fastify'
import type { LimitsConfig } from './limits-config.ts'

const require = createRequire(import.meta.url)

/** The same from sources and from `dist`. */
const PUBLIC = fileURLToPath(new URL('../public', import.meta.url))
/** The stock client as socket.io ships it. */
const CLIENT = join(dirname(require.resolve('socket.io/package.json')), 'client-dist')

/** How often connections whose requests take too long to arrive are looked for, in milliseconds: they last so much longer at most. */
const CHECK_INTERVAL_MS = 1_000

/** What an HTTP request may take, whatever it asks for. */
export type HttpLimits = Pick<
  LimitsConfig,
  'requestTimeoutMs' | 'headersTimeoutMs' | 'maxHeaderBytes'
>

/** The chat page at `/`, its files below `/static/chat/`, and the stock Socket.IO client at `/static/socket.io.js`. */
export async function createPages(limits: HttpLimits): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    forceCloseConnections: 'idle',
    requestTimeout: limits.requestTimeoutMs,
    http: {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
  })
  await servePage(app, {
    root: PUBLIC,
    prefix: '/static/chat/',
    // Pages of other origins load the client from here, as from Socket.IO's own path.
    libraries: [
      { path: '/static/socket.io.js', root: CLIENT, file: 'socket.io.min.js', isForAll: true },
      {
        path: '/static/socket.io.min.js.map',
        root: CLIENT,
        file: 'socket.io.min.js.map',
        isForAll: true,
      },
    ],
  })
  return app
}
