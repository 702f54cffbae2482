import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import { fastify, type FastifyInstance } from 'fastify'
import type { LimitsConfig } from './limits-config.ts'

/** How long a browser may keep the client without asking, in milliseconds. Short, since its name does not change with its version. */
const CLIENT_MAX_AGE_MS = 300_000

const require = createRequire(import.meta.url)

/** Plain files, which neither a build nor a bundler touches: the same from sources and from `dist`. */
const PUBLIC = fileURLToPath(new URL('../public', import.meta.url))
/** The stock client as socket.io ships it. */
const CLIENT = join(dirname(require.resolve('socket.io/package.json')), 'client-dist')

const CLIENT_FILES = [
  ['/static/socket.io.js', 'socket.io.min.js'],
  ['/static/socket.io.min.js.map', 'socket.io.min.js.map'],
] as const

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
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        connectSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Whether there is TLS is for whoever terminates it to say.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
  })
  await app.register(fastifyStatic, {
    root: PUBLIC,
    prefix: '/static/chat/',
    // Asked for each time, by ETag: modules of two versions must not meet in one page.
    maxAge: 0,
  })
  for (const [path, file] of CLIENT_FILES) {
    app.get(path, (_request, reply) =>
      reply
        // A page on another origin may load the client, as from Socket.IO's own path.
        .header('cross-origin-resource-policy', 'cross-origin')
        .sendFile(file, CLIENT, { maxAge: CLIENT_MAX_AGE_MS }),
    )
  }
  app.get('/', (_request, reply) => reply.sendFile('index.html', { maxAge: 0 }))
  app.get('/favicon.ico', (_request, reply) => reply.sendFile('favicon.svg'))
  return app
}
