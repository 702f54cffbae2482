import { z } from 'zod'
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { ClientError, RoomParams } from '@roomcast/protocol'
import type { RoomLog } from '@roomcast/roomlog'
import { problemResponses } from '@roomcast/runtime/http-api'
import { requireKey } from '../keys.ts'

/** `DELETE /v1/rooms/{room}`. It takes one of `apiKeys`, unless there are none. */
export function roomsRoute({
  roomLog,
  apiKeys,
}: {
  readonly roomLog: RoomLog
  readonly apiKeys: readonly string[]
}): FastifyPluginCallbackZod {
  return (api, _options, done) => {
    api.delete(
      '/v1/rooms/:room',
      {
        schema: {
          operationId: 'deleteMessages',
          summary: 'Delete the messages of a room',
          description: 'Members stay, and the numbers of its messages go on.',
          security: [{ key: [] }],
          params: RoomParams,
          response: {
            204: z.undefined().describe('Deleted'),
            ...problemResponses('invalid', 'unauthorized', 'not_found', 'unavailable'),
          },
        },
        onRequest: requireKey(apiKeys),
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
