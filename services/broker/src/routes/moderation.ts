import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import {
  BanParams,
  BanRequest,
  BansView,
  BanView,
  ClientError,
  Disconnect,
  Disconnected,
  Kick,
  MessageParams,
  Moderated,
  RoomParams,
  UserParams,
} from '@roomcast/protocol'
import { REVOCATIONS_MAX, type RoomLog } from '@roomcast/roomlog'
import { keyIdOf, type Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { Audit } from '../audit.ts'
import type { Moderator } from '../moderator.ts'

const refusals = ['invalid', 'unauthorized', 'forbidden', 'unavailable'] as const

/**
 * What moderators do: to the people and messages of a room, and to the connections of a user. It takes the scope `moderate`, and to
 * clear a room `delete`.
 */
export function moderationRoutes({
  roomLog,
  access,
  moderator,
  audit,
  now,
}: {
  readonly roomLog: RoomLog
  readonly access: Access
  readonly moderator: Moderator
  readonly audit: Audit
  readonly now: () => number
}): FastifyPluginCallbackZod {
  const ofRoom = access.requireScope('moderate')
  const ofDeletion = access.requireScope('delete')
  const ofAll = access.requireScopeEverywhere('moderate')

  return (api, _options, done) => {
    api.post(
      '/v1/rooms/:room/kick',
      {
        schema: {
          operationId: 'kickUser',
          summary: 'Remove a user from a room',
          description:
            'Every socket of the user leaves the room, on every gateway, and none of them recovers its place. He is told by an `error` of code `kicked`, the others by a `kicked` event. He may join again.',
          security: ofRoom.security,
          params: RoomParams,
          body: Kick,
          response: {
            200: Moderated.describe('Members are told at this offset'),
            ...problemResponses(...refusals, 'not_found'),
          },
        },
        onRequest: ofRoom.onRequest,
        preHandler: ofRoom.preHandler,
      },
      (request) => {
        const { room } = request.params
        const { user, reason } = request.body
        const asked = { action: 'kick', by: idOf(request), room, user, reason } as const
        return audit.record(asked, async () => ({
          offset: await moderator.kick(room, user, reason),
        }))
      },
    )

    api.post(
      '/v1/rooms/:room/bans',
      {
        schema: {
          operationId: 'banUser',
          summary: 'Ban a user from a room',
          description:
            'As a kick, and the user may not join again: until `durationMs` have passed, or until the ban is lifted. In place of an earlier ban of the same user.',
          security: ofRoom.security,
          params: RoomParams,
          body: BanRequest,
          response: {
            201: BanView.extend(Moderated.shape).describe('Members are told at this offset'),
            ...problemResponses(...refusals, 'full'),
          },
        },
        onRequest: ofRoom.onRequest,
        preHandler: ofRoom.preHandler,
      },
      async (request, reply) => {
        const { room } = request.params
        const { user, reason, durationMs } = request.body
        const since = now()
        const until = durationMs === undefined ? undefined : since + durationMs
        const ban = {
          user,
          since,
          ...(until === undefined ? {} : { until }),
          ...(reason === undefined ? {} : { reason }),
        }
        const asked = { action: 'ban', by: idOf(request), room, user, reason, until } as const
        const offset = await audit.record(asked, () => moderator.ban(room, ban))
        return reply.code(201).send({ ...ban, offset })
      },
    )

    api.get(
      '/v1/rooms/:room/bans',
      {
        schema: {
          operationId: 'listBans',
          summary: 'Who is banned from a room',
          security: ofRoom.security,
          params: RoomParams,
          response: {
            200: BansView.describe('Bans in force, by user'),
            ...problemResponses(...refusals),
          },
        },
        onRequest: ofRoom.onRequest,
        preHandler: ofRoom.preHandler,
      },
      async ({ params: { room } }) => ({ bans: [...(await roomLog.moderation.bans(room))] }),
    )

    api.delete(
      '/v1/rooms/:room/bans/:user',
      {
        schema: {
          operationId: 'liftBan',
          summary: 'Lift a ban',
          security: ofRoom.security,
          params: BanParams,
          response: {
            204: z.undefined().describe('Lifted'),
            ...problemResponses(...refusals, 'not_found'),
          },
        },
        onRequest: ofRoom.onRequest,
        preHandler: ofRoom.preHandler,
      },
      async (request, reply) => {
        const { room, user } = request.params
        const asked = { action: 'unban', by: idOf(request), room, user } as const
        await audit.record(asked, () => moderator.lift(room, user))
        return reply.code(204).send()
      },
    )

    api.delete(
      '/v1/rooms/:room/messages/:message',
      {
        schema: {
          operationId: 'deleteMessage',
          summary: 'Delete one message of a room',
          description:
            'Names it by its offset, or by the `id` of its sender. It leaves the log, and members get a `deleted` event. What was `say` alone can be deleted, notices can not.',
          security: ofRoom.security,
          params: MessageParams,
          response: {
            200: Moderated.describe('Members are told at this offset'),
            ...problemResponses(...refusals, 'not_found', 'offset_gone', 'ambiguous'),
          },
        },
        onRequest: ofRoom.onRequest,
        preHandler: ofRoom.preHandler,
      },
      (request) => {
        const { room, message } = request.params
        const asked = { action: 'delete', by: idOf(request), room, message } as const
        return audit.record(asked, async () => ({ offset: await moderator.delete(room, message) }))
      },
    )

    api.delete(
      '/v1/rooms/:room',
      {
        schema: {
          operationId: 'deleteMessages',
          summary: 'Delete the messages of a room',
          description:
            'Members get a `cleared` event. They stay, and the numbers of its messages go on.',
          security: ofDeletion.security,
          params: RoomParams,
          response: {
            204: z.undefined().describe('Deleted'),
            ...problemResponses(...refusals, 'not_found'),
          },
        },
        onRequest: ofDeletion.onRequest,
        preHandler: ofDeletion.preHandler,
      },
      async (request, reply) => {
        const { room } = request.params
        await audit.record({ action: 'clear', by: idOf(request), room }, () =>
          moderator.clear(room),
        )
        return reply.code(204).send()
      },
    )

    api.post(
      '/v1/users/:user/disconnect',
      {
        schema: {
          operationId: 'disconnectUser',
          summary: 'End the connections of a user',
          description:
            'Every connection of the user on every gateway ends, and its client does not come back by itself. With authentication, tokens that were issued before this moment are refused from then on, unless `revokeTokens` is false. In open mode a user is who joined under this name, and nothing keeps him from connecting again.',
          security: ofAll.security,
          params: UserParams,
          body: Disconnect,
          response: {
            200: Disconnected.describe('The gateways are told'),
            ...problemResponses(...refusals, 'full'),
          },
        },
        onRequest: ofAll.onRequest,
        preHandler: ofAll.preHandler,
      },
      (request) => {
        const { user } = request.params
        const { reason, revokeTokens: revokesTokens } = request.body
        const asked = { action: 'disconnect', by: idOf(request), user, reason } as const
        return audit.record(asked, async () => {
          const revoked = await roomLog.revocations.add(user, { revokesTokens, reason })
          if (revoked === undefined)
            throw new ClientError('full', `there are ${REVOCATIONS_MAX} such users at most`)
          return { at: revoked.at }
        })
      },
    )
    done()
  }
}

/** Who asks, for the audit. */
function idOf(request: FastifyRequest): string {
  return keyIdOf(request) ?? 'open'
}
