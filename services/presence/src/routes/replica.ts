import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import type { InternalAccess } from '@roomcast/runtime'
import { requireInternal } from '@roomcast/runtime/http-access'
import { REPLICA_PATH } from '../leader.ts'

/** `GET /internal/replica`: which replica this is, for the others. Internal callers alone. */
export function replicaRoute({
  replica,
  internal,
}: {
  readonly replica: string
  readonly internal: Pick<InternalAccess, 'admits'>
}): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(REPLICA_PATH, { schema: { hide: true }, onRequest: requireInternal(internal) }, () => ({
      replica,
    }))
    done()
  }
}
