import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { REPLICA_PATH } from '../leader.ts'
import { requireInternal } from './key.ts'

/** `GET /internal/replica`: which replica this is, for the others. Internal callers alone. */
export function replicaRoute({
  replica,
  internalToken,
}: {
  readonly replica: string
  readonly internalToken: string | undefined
}): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(
      REPLICA_PATH,
      { schema: { hide: true }, onRequest: requireInternal(internalToken) },
      () => ({ replica }),
    )
    done()
  }
}
