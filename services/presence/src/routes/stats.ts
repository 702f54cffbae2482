import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { StatsView } from '@roomcast/protocol'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { statsOf } from '../views.ts'

/** `GET /v1/stats` */
export function statsRoute({
  state,
  access,
}: {
  readonly state: PresenceState
  readonly access: Access
}): FastifyPluginCallbackZod {
  const { security, onRequest } = access.requireToReadEverywhere('stats')
  return (api, _options, done) => {
    api.get(
      '/v1/stats',
      {
        schema: {
          operationId: 'getStats',
          summary: 'Totals of the whole cluster',
          security,
          response: { 200: StatsView, ...problemResponses('unauthorized', 'forbidden') },
        },
        onRequest,
      },
      () => statsOf(state),
    )
    done()
  }
}
