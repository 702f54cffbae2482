import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import {
  ClientError,
  INTERNAL_MEMBERS_PATH,
  MembersQuery,
  MembersView,
  RoomParams,
} from '@roomcast/protocol'
import type { InternalAccess } from '@roomcast/runtime'
import { requireInternal, type Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { PresenceState } from '../state.ts'
import { membersOf } from '../views.ts'

/**
 * `GET /v1/rooms/{room}/members`: names people, so it takes the scope `members`. The same for gateways, internal
 * callers alone, which are answered `unavailable` by a replica that does not know all members yet, so that they ask another.
 */
export function membersRoute({
  state,
  access,
  internal,
}: {
  readonly state: PresenceState
  readonly access: Access
  readonly internal: Pick<InternalAccess, 'admits'>
}): FastifyPluginCallbackZod {
  const { security, onRequest, preHandler } = access.requireScope('members')
  return (api, _options, done) => {
    api.get(
      '/v1/rooms/:room/members',
      {
        schema: {
          operationId: 'listMembers',
          summary: 'Who is in a room: each name once, with its connections',
          description:
            'Of a room with more names than `limit` come the numbers alone. Names people: with API keys set a key is needed.',
          security,
          params: RoomParams,
          querystring: MembersQuery,
          response: {
            200: MembersView,
            ...problemResponses('invalid', 'unauthorized', 'forbidden'),
          },
        },
        onRequest,
        preHandler,
      },
      ({ params, query }) => membersOf(state, params.room, query),
    )
    api.get(
      INTERNAL_MEMBERS_PATH,
      {
        schema: { hide: true, params: RoomParams, querystring: MembersQuery },
        onRequest: requireInternal(internal),
      },
      ({ params, query }) => {
        if (!state.isComplete)
          throw new ClientError('unavailable', 'this replica has not heard every gateway yet')
        return membersOf(state, params.room, query)
      },
    )
    done()
  }
}
