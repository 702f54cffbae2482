import type { FastifyRequest, onRequestHookHandler, preHandlerHookHandler } from 'fastify'
import { requireKey } from './keys.ts'

/** What a route that moderators alone may use is given. */
export interface Guard {
  readonly security: readonly Record<string, string[]>[]
  readonly onRequest: onRequestHookHandler
  readonly preHandler: preHandlerHookHandler
}

/** Who may moderate, and who it was. */
export interface Moderators {
  /** One room: that of the path. */
  readonly ofRoom: Guard
  /** Every room. */
  readonly ofAll: Guard
  /** The id of the key of a guarded request, for the audit; `open` where none is needed. */
  idOf(request: FastifyRequest): string
}

/** Holders of one of the keys. */
export function moderatorsOf(keys: readonly string[]): Moderators {
  const guard: Guard = {
    security: [{ key: [] }],
    onRequest: requireKey(keys),
    preHandler: (_request, _reply, next) => next(),
  }
  return { ofRoom: guard, ofAll: guard, idOf: () => (keys.length === 0 ? 'open' : 'key') }
}
