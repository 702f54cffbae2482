import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { GatewaysView } from '@roomcast/protocol'
import type { PresenceState } from '../state.ts'
import { gatewaysOf } from '../views.ts'

/** `GET /v1/gateways` */
export function gatewaysRoute({
  state,
}: {
  readonly state: PresenceState
}): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(
      '/v1/gateways',
      {
        schema: {
          operationId: 'listGateways',
          summary: 'Every gateway with what it holds, by pod',
          response: { 200: GatewaysView },
        },
      },
      () => ({ gateways: gatewaysOf(state) }),
    )
    done()
  }
}
