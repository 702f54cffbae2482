import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ClientError } from '@roomcast/protocol'
import { addressKey } from './client-address.ts'

/** Callers that are remembered; of more the one that was silent for longest is forgotten. */
const CALLERS_MAX = 10_000
/** The window in which requests are counted, in milliseconds. */
const WINDOW_MS = 1_000
/** What the services ask of each other. */
const INTERNAL = '/internal/'

/**
 * Refuses what a caller asks beyond so many requests a second, before anything else is looked at: guesses of keys and requests for what
 * does not exist count as well. `keyOf` names the key of a request that presents a good one; others are counted by their address.
 */
export function limitRates(
  app: FastifyInstance,
  ratePerSecond: number,
  keyOf: (request: FastifyRequest) => string | undefined,
): void {
  if (ratePerSecond === 0) return
  const silent = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false } as const
  app.register(rateLimit, {
    global: false,
    max: ratePerSecond,
    timeWindow: WINDOW_MS,
    cache: CALLERS_MAX,
    keyGenerator: (request) => keyOf(request) ?? addressKey(request.ip) ?? request.ip,
    allowList: (request) => request.url.startsWith(INTERNAL),
    errorResponseBuilder: (_request, { ttl }) =>
      new ClientError('rate_limited', 'too many requests in a short time', { retryAfterMs: ttl }),
    addHeaders: { ...silent, 'x-ratelimit-reset': false, 'retry-after': false },
    addHeadersOnExceeding: { ...silent, 'x-ratelimit-reset': false },
  })
  app.after(() => void app.addHook('onRequest', app.rateLimit()))
}
