import type { onRequestHookHandler } from 'fastify'
import { ClientError } from '@roomcast/protocol'
import { hasKey } from '@roomcast/runtime'

/** Refuses callers without one of the keys, before anything of their request is read; admits everybody when there are none. */
export function requireKey(keys: readonly string[]): onRequestHookHandler {
  return (request, _reply, next) => {
    const isAllowed = keys.length === 0 || hasKey(keys, request.headers.authorization)
    next(isAllowed ? undefined : new ClientError('unauthorized', 'a bearer key is required'))
  }
}
