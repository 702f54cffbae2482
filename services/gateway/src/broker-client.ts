import {
  APPEND_CONTENT_TYPE,
  APPEND_PATH,
  AppendResponse,
  encodeAppendRequest,
  type AppendBatch,
  type AppendResult,
} from '@roomcast/protocol'
import { watchReplicas, type InternalAccess } from '@roomcast/runtime'
import { Agent } from 'undici'

/** How long a broker may take to answer, in milliseconds. After that the outcome is unknown and the batch goes to another. */
const ANSWER_TIMEOUT_MS = 3_000
const CONNECT_TIMEOUT_MS = 1_000

/** Sends append requests to one broker at a time, and to the next one after a failure. */
export interface BrokerClient {
  /** Rejects when there is no answer, or one that is no result; whether anything was appended is then unknown. */
  append(batches: readonly AppendBatch[]): Promise<readonly AppendResult[]>
  close(): Promise<void>
}

export async function createBrokerClient(options: {
  readonly urls: readonly string[]
  readonly internal: Pick<InternalAccess, 'headers'>
  /** Requests under way at a time to one broker. */
  readonly concurrency: number
}): Promise<BrokerClient> {
  const brokers = await watchReplicas(options.urls)
  const agent = new Agent({
    connections: options.concurrency,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  })
  const { internal } = options
  let turn = Math.floor(Math.random() * 1_000)

  return {
    async append(batches) {
      const list = brokers.list()
      const used = turn
      const origin = list[turn % Math.max(1, list.length)]
      try {
        if (origin === undefined) throw new Error('no broker is known')
        const { statusCode, body } = await agent.request({
          origin,
          path: APPEND_PATH,
          method: 'POST',
          headers: { 'content-type': APPEND_CONTENT_TYPE, ...internal.headers() },
          body: encodeAppendRequest(batches),
        })
        if (statusCode !== 200) {
          throw new Error(`the broker answered ${statusCode}: ${(await body.text()).slice(0, 300)}`)
        }
        const { results } = AppendResponse.parse(await body.json())
        if (results.length !== batches.length)
          throw new Error('the broker answered for other batches')
        return results
      } catch (error) {
        // One step on, however many requests fail together: several would lead around to the same broker.
        if (turn === used) turn++
        void brokers.refresh()
        throw new Error('while appending through a broker', { cause: error })
      }
    },
    async close() {
      brokers.close()
      await agent.close()
    },
  }
}
