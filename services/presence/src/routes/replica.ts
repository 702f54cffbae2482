import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { ClientError, INTERNAL_TOKEN_HEADER } from '@roomcast/protocol'
import { isInternalCaller } from '@roomcast/runtime'
import { REPLICA_PATH } from '../leader.ts'

/** `GET /internal/replica`: which replica this is, for the others. Internal callers alone. */
export function replicaRoute({
  replica,
  internalToken,
}: {
  readonly replica: string
  readonly internalToken: string | undefined
}): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(REPLICA_PATH, { schema: { hide: true } }, (request) => {
      const token = request.headers[INTERNAL_TOKEN_HEADER]
      const caller = {
        address: request.socket.remoteAddress,
        token: typeof token === 'string' ? token : undefined,
      }
      if (!isInternalCaller(internalToken, caller))
        throw new ClientError('unauthorized', 'this is for the other replicas')
      return { replica }
    })
    done()
  }
}
