import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { GatewaysView } from '@roomcast/protocol'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { gatewaysOf } from '../views.ts'

/** `GET /v1/gateways` */
export function gatewaysRoute({
  state,
  access,
}: {
  readonly state: PresenceState
  readonly access: Access
}): FastifyPluginCallbackZod {
  const { security, onRequest } = access.requireToReadEverywhere('stats')
  return (api, _options, done) => {
    api.get(
      '/v1/gateways',
      {
        schema: {
          operationId: 'listGateways',
          summary: 'Every gateway with what it holds, by pod',
          security,
          response: { 200: GatewaysView, ...problemResponses('unauthorized', 'forbidden') },
        },
        onRequest,
      },
      () => ({ gateways: gatewaysOf(state) }),
    )
    done()
  }
}
