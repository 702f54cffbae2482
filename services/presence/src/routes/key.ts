import { ClientError } from '@roomcast/protocol'
import { hasKey } from '@roomcast/runtime'
import type { onRequestHookHandler } from 'fastify'

/**
 * An `onRequest` hook that lets in who presents one of the keys as `Authorization: Bearer`, and everybody when there are none. It runs
 * before anything is parsed: a stranger learns nothing but that he needs a key.
 */
export function requireKey(apiKeys: readonly string[]): onRequestHookHandler {
  return (request, _reply, next) => {
    const isAllowed = apiKeys.length === 0 || hasKey(apiKeys, request.headers.authorization)
    next(isAllowed ? undefined : new ClientError('unauthorized', 'a bearer key is required'))
  }
}
