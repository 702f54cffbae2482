import { z } from 'zod'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { ClientError, RoomParams } from '@roomcast/protocol'
import type { RoomLog } from '@roomcast/roomlog'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'

/** `DELETE /v1/rooms/{room}`. It takes the scope `delete`. */
export function roomsRoute({
  roomLog,
  access,
}: {
  readonly roomLog: RoomLog
  readonly access: Access
}): FastifyPluginCallbackZod {
  const { security, onRequest, preHandler } = access.requireScope('delete')
  return (api, _options, done) => {
    api.delete(
      '/v1/rooms/:room',
      {
        schema: {
          operationId: 'deleteMessages',
          summary: 'Delete the messages of a room',
          description: 'Members stay, and the numbers of its messages go on.',
          security,
          params: RoomParams,
          response: {
            204: z.undefined().describe('Deleted'),
            ...problemResponses('invalid', 'unauthorized', 'forbidden', 'not_found', 'unavailable'),
          },
        },
        onRequest,
        preHandler,
      },
      async ({ params: { room } }, reply) => {
        if (!(await roomLog.clear(room))) {
          throw new ClientError('not_found', 'nothing was said in this room')
        }
        return reply.code(204).send()
      },
    )
    done()
  }
}
