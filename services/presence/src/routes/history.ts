import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod'
import { HistoryQuery, HistoryView } from '@roomcast/protocol'
import type { Access } from '@roomcast/runtime/http-access'
import { problemResponses } from '@roomcast/runtime/http-api'
import type { History } from '../history.ts'

/** `GET /v1/history`: takes the scope `stats`. */
export function historyRoute({
  history,
  access,
  now,
}: {
  readonly history: History
  readonly access: Access
  readonly now: () => number
}): FastifyPluginCallbackZod {
  const { security, onRequest } = access.requireScopeEverywhere('stats')
  return (api, _options, done) => {
    api.get(
      '/v1/history',
      {
        schema: {
          operationId: 'getHistory',
          summary: 'The totals over time, as this replica saw them',
          description:
            'Points at equal distances, the first at `startMs`; each is the highest number of its step, or null when this replica recorded none: it was asleep, or had not heard every gateway yet. Each replica remembers for itself, in memory, since its start. With API keys set a key is needed.',
          security,
          querystring: HistoryQuery,
          response: {
            200: HistoryView,
            ...problemResponses('invalid', 'unauthorized', 'forbidden'),
          },
        },
        onRequest,
      },
      ({ query }) => history.read(query.range, now()),
    )
    done()
  }
}
