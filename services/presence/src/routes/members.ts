import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { ClientError, MembersQuery, MembersView, RoomParams } from '@roomcast/protocol'
import { hasKey } from '@roomcast/runtime'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { membersOf } from '../views.ts'

/** `GET /v1/rooms/{room}/members`: names people, so it takes one of `apiKeys`, unless there are none. */
export function membersRoute({
  state,
  apiKeys,
}: {
  readonly state: PresenceState
  readonly apiKeys: readonly string[]
}): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.get(
      '/v1/rooms/:room/members',
      {
        schema: {
          operationId: 'listMembers',
          summary: 'Who is in a room, in pages by sid',
          security: [{ key: [] }],
          params: RoomParams,
          querystring: MembersQuery,
          response: { 200: MembersView, ...problemResponses('invalid', 'unauthorized') },
        },
        // Before anything is parsed: a stranger learns nothing but that he needs a key.
        onRequest: (request, _reply, next) => {
          const isAllowed = apiKeys.length === 0 || hasKey(apiKeys, request.headers.authorization)
          next(isAllowed ? undefined : new ClientError('unauthorized', 'a bearer key is required'))
        },
      },
      ({ params, query }) => membersOf(state, params.room, query),
    )
    done()
  }
}
