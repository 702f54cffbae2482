import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

/** How long a browser may keep the chart library without asking, in milliseconds. Short, since its name does not change with its version. */
const LIBRARY_MAX_AGE_MS = 300_000

const require = createRequire(import.meta.url)

/** Plain files, which neither a build nor a bundler touches: the same from sources and from `dist`. */
const PUBLIC = fileURLToPath(new URL('../public', import.meta.url))
/** The chart library as its package ships it. */
const LIBRARY = dirname(require.resolve('uplot/dist/uPlot.min.css'))
const LIBRARY_FILES = ['uPlot.iife.min.js', 'uPlot.min.css'] as const

/**
 * The dashboard at `/`, its files below `/static/dashboard/`, and the chart library below `/static/uplot/`. The page itself is open: it
 * says nothing, and asks for a key when what it shows takes one.
 */
export const pages: FastifyPluginAsync = async (app) => {
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
    prefix: '/static/dashboard/',
    // Asked for each time, by ETag: modules of two versions must not meet in one page.
    maxAge: 0,
  })
  const hidden = { schema: { hide: true } }
  for (const file of LIBRARY_FILES) {
    app.get(`/static/uplot/${file}`, hidden, (_request, reply) =>
      reply.sendFile(file, LIBRARY, { maxAge: LIBRARY_MAX_AGE_MS }),
    )
  }
  app.get('/', hidden, (_request, reply) => reply.sendFile('index.html', { maxAge: 0 }))
  app.get('/favicon.ico', hidden, (_request, reply) => reply.sendFile('favicon.svg'))
}
