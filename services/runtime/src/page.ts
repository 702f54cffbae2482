import helmet from '@fastify/helmet'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** How long a browser may keep a library without asking, in milliseconds. Short, since its name does not change with its version. */
const LIBRARY_MAX_AGE_MS = 300_000

/** A page of plain files, which neither a build nor a bundler touches. */
export interface Page {
  /** Folder of the files. */
  readonly root: string
  /** Path below which they are, with a slash at both ends. */
  readonly prefix: string
  readonly libraries: readonly Library[]
}

/** A file that another package brings. */
export interface Library {
  /** Path at which it is served. */
  readonly path: string
  /** Folder of the file, as its package has it. */
  readonly root: string
  readonly file: string
  /** Whether pages of other origins may load it. */
  readonly isForAll?: boolean
}

/**
 * Serves a page at `/`, its files below `prefix`, its libraries and its icon. It may load from and connect to its own origin alone, no
 * code may stand in its text, and nobody may frame it. All other routes of `app` get the headers that say so as well.
 */
export async function servePage(
  app: FastifyInstance,
  { root, prefix, libraries }: Page,
): Promise<void> {
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
    root,
    prefix,
    // Asked for each time, by ETag: modules of two versions must not meet in one page.
    maxAge: 0,
  })
  const hidden = { schema: { hide: true } }
  app.get('/', hidden, (_request, reply) => reply.sendFile('index.html', { maxAge: 0 }))
  for (const { path, root, file, isForAll = false } of libraries) {
    app.get(path, hidden, (_request, reply) => {
      if (isForAll) reply.header('cross-origin-resource-policy', 'cross-origin')
      return reply.sendFile(file, root, { maxAge: LIBRARY_MAX_AGE_MS })
    })
  }
  app.get('/favicon.ico', hidden, (_request, reply) => reply.sendFile('favicon.svg'))
}
