import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { StatsView } from '@roomcast/protocol'
import type { PresenceState } from '../state.ts'
import { statsOf } from '../views.ts'

/** `GET /v1/stats` */
export function statsRoute({ state }: { readonly state: PresenceState }): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(
      '/v1/stats',
      {
        schema: {
          operationId: 'getStats',
          summary: 'Totals of the whole cluster',
          response: { 200: StatsView },
        },
      },
      () => statsOf(state),
    )
    done()
  }
}
