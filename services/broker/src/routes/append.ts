import type { FastifyPluginCallback } from 'fastify'
import {
  APPEND_CONTENT_TYPE,
  APPEND_PATH,
  APPEND_REQUEST_MAX_BYTES,
  ClientError,
  decodeAppendRequest,
  type AppendBatch,
  type AppendResponse,
} from '@roomcast/protocol'
import type { InternalAccess } from '@roomcast/runtime'
import { requireInternal } from '@roomcast/runtime/http-access'
import type { z } from 'zod'
import type { Appender } from '../appender.ts'
import type { Facts } from '../facts.ts'

/**
 * `POST /internal/append`, for gateways. One answer for each room batch; a log that is away is such an answer too (`failed`), not an
 * error of the request. Answers are not checked against their schema: this is the path of every message.
 */
export function appendRoute({
  appender,
  internal,
  facts,
}: {
  readonly appender: Appender
  readonly internal: Pick<InternalAccess, 'admits'>
  readonly facts: Facts
}): FastifyPluginCallback {
  return (api, _options, done) => {
    api.removeAllContentTypeParsers()
    api.addContentTypeParser(
      APPEND_CONTENT_TYPE,
      { parseAs: 'string', bodyLimit: APPEND_REQUEST_MAX_BYTES },
      (_request, body, parsed) => parsed(null, body),
    )
    api.post(
      APPEND_PATH,
      {
        schema: { hide: true },
        bodyLimit: APPEND_REQUEST_MAX_BYTES,
        onRequest: requireInternal(internal, facts.internalCallerRefused),
      },
      async ({ body }, reply) => {
        const results = [...(await appender.append(batchesOf(body)))]
        const answer: z.input<typeof AppendResponse> = { v: 1, results }
        return reply.type('application/json').send(JSON.stringify(answer))
      },
    )
    done()
  }
}

function batchesOf(body: unknown): AppendBatch[] {
  try {
    return decodeAppendRequest(typeof body === 'string' ? body : '')
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    throw new ClientError('invalid', `not an append request: ${what}`, { cause: error })
  }
}
