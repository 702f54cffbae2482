import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { servePage } from '@roomcast/runtime/page'
import type { FastifyPluginAsync } from 'fastify'

const require = createRequire(import.meta.url)

/** The same from sources and from `dist`. */
const PUBLIC = fileURLToPath(new URL('../public', import.meta.url))
/** The chart library as its package ships it. */
const LIBRARY = dirname(require.resolve('uplot/dist/uPlot.min.css'))

/**
 * The dashboard at `/`, its files below `/static/dashboard/`, and the chart library below `/static/uplot/`. The page itself is open: it
 * says nothing, and asks for a key when what it shows takes one.
 */
export const pages: FastifyPluginAsync = (app) =>
  servePage(app, {
    root: PUBLIC,
    prefix: '/static/dashboard/',
    libraries: ['uPlot.iife.min.js', 'uPlot.min.css'].map((file) => ({
      path: `/static/uplot/${file}`,
      root: LIBRARY,
      file,
    })),
  })
