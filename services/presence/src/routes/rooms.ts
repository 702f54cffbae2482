import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { RoomParams, RoomsQuery, RoomsView, RoomView } from '@roomcast/protocol'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { busiestRooms, roomOf } from '../views.ts'

/** `GET /v1/rooms` and `GET /v1/rooms/{room}` */
export function roomsRoutes({
  state,
  access,
}: {
  readonly state: PresenceState
  readonly access: Access
}): FastifyPluginCallbackZod {
  const all = access.requireToReadEverywhere('stats')
  const one = access.requireToRead('stats')
  return (api, _options, done) => {
    api.get(
      '/v1/rooms',
      {
        schema: {
          operationId: 'listRooms',
          summary: 'The busiest rooms first',
          security: all.security,
          querystring: RoomsQuery,
          response: { 200: RoomsView, ...problemResponses('invalid', 'unauthorized', 'forbidden') },
        },
        onRequest: all.onRequest,
      },
      ({ query }) => busiestRooms(state, query),
    )
    api.get(
      '/v1/rooms/:room',
      {
        schema: {
          operationId: 'getRoom',
          summary: 'How many are in a room; 0 when nobody is',
          security: one.security,
          params: RoomParams,
          response: { 200: RoomView, ...problemResponses('invalid', 'unauthorized', 'forbidden') },
        },
        onRequest: one.onRequest,
        preHandler: one.preHandler,
      },
      ({ params }) => roomOf(state, params.room),
    )
    done()
  }
}
