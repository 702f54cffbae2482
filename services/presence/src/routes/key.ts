import { ClientError, INTERNAL_TOKEN_HEADER } from '@roomcast/protocol'
import { hasKey, isInternalCaller } from '@roomcast/runtime'
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

/** The same for a path of the services' own: lets in internal callers alone. */
export function requireInternal(internalToken: string | undefined): onRequestHookHandler {
  return (request, _reply, next) => {
    const token = request.headers[INTERNAL_TOKEN_HEADER]
    const caller = {
      address: request.socket.remoteAddress,
      token: typeof token === 'string' ? token : undefined,
    }
    const isAllowed = isInternalCaller(internalToken, caller)
    next(isAllowed ? undefined : new ClientError('unauthorized', 'this is for the other services'))
  }
}
