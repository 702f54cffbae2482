import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import { EventStream } from '../event-stream.ts'
import type { Facts } from '../facts.ts'
import type { Feed } from '../feed.ts'

/** `GET /v1/events`: takes the scope `stats`. */
export function eventsRoute({
  feed,
  facts,
  access,
}: {
  readonly feed: Feed
  readonly facts: Facts
  readonly access: Access
}): FastifyPluginCallbackZod {
  const { security, onRequest } = access.requireScopeEverywhere('stats')
  return (api, _options, done) => {
    api.get(
      '/v1/events',
      {
        schema: {
          operationId: 'streamEvents',
          summary: 'Totals, gateways and the busiest rooms as server-sent events, as they change',
          description:
            'Events: `state` first, with everything: `{at, replica, stats, gateways, rooms}`; then `change` `{at, stats?, gateways?: {changed, gone}, rooms?}`, at most one a second: a part that is there takes the place of the one before; of gateways those that changed, and the instances that are gone. `at` is in milliseconds since 1970. A comment comes every 10 s. The stream of a client that does not keep up is ended; whoever comes back begins with `state`. With API keys set a key is needed: a browser sends it by `fetch`, since EventSource can not.',
          security,
          response: {
            200: {
              description: 'The stream',
              content: { 'text/event-stream': { schema: z.string() } },
            },
            ...problemResponses('unauthorized', 'forbidden', 'busy', 'unavailable'),
          },
        },
        onRequest,
      },
      (_request, reply) => {
        feed.checkRoom()
        reply.hijack()
        feed.add(new EventStream(reply.raw, { onTooSlow: () => facts.streamTooSlow() }))
      },
    )
    done()
  }
}
