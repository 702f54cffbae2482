import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { RoomParams, RoomsQuery, RoomsView, RoomView } from '@roomcast/protocol'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { busiestRooms, roomOf } from '../views.ts'

/** `GET /v1/rooms` and `GET /v1/rooms/{room}` */
export function roomsRoutes({
  state,
}: {
  readonly state: PresenceState
}): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(
      '/v1/rooms',
      {
        schema: {
          operationId: 'listRooms',
          summary: 'The busiest rooms first',
          querystring: RoomsQuery,
          response: { 200: RoomsView, ...problemResponses('invalid') },
        },
      },
      ({ query }) => busiestRooms(state, query),
    )
    api.get(
      '/v1/rooms/:room',
      {
        schema: {
          operationId: 'getRoom',
          summary: 'How many are in a room; 0 when nobody is',
          params: RoomParams,
          response: { 200: RoomView, ...problemResponses('invalid') },
        },
      },
      ({ params }) => roomOf(state, params.room),
    )
    done()
  }
}
