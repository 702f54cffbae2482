import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { MembersQuery, MembersView, RoomParams } from '@roomcast/protocol'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { membersOf } from '../views.ts'
import { requireKey } from './key.ts'

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
          description: 'Names people: with API keys set a key is needed.',
          security: [{ key: [] }],
          params: RoomParams,
          querystring: MembersQuery,
          response: { 200: MembersView, ...problemResponses('invalid', 'unauthorized') },
        },
        onRequest: requireKey(apiKeys),
      },
      ({ params, query }) => membersOf(state, params.room, query),
    )
    done()
  }
}
