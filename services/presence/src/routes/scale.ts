import { z } from 'zod'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { ClientError } from '@roomcast/protocol'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { statsOf } from '../views.ts'

export const ScaleView = z.object({
  connections: z.int(),
  gateways: z.int(),
  complete: z.boolean().describe('always true: what is not complete is answered with 503'),
})

/** `GET /v1/scale`, for autoscalers: the numbers to scale on, or 503. Never a number that is too low because this replica is young. */
export function scaleRoute({ state }: { readonly state: PresenceState }): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(
      '/v1/scale',
      {
        schema: {
          operationId: 'getScale',
          summary: 'What an autoscaler needs',
          response: { 200: ScaleView, ...problemResponses('unavailable') },
        },
      },
      () => {
        const { connections, gateways, complete } = statsOf(state)
        if (!complete) {
          throw new ClientError('unavailable', 'this replica has not heard every gateway yet')
        }
        return { connections, gateways, complete }
      },
    )
    done()
  }
}
