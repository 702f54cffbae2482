import { Cluster, type ChainableCommander } from 'ioredis'
import type { RedisClient } from './connect.ts'

/** How long an append waits for its replicas, in milliseconds: then it has failed, and comes again. Less than a command may take. */
const WAIT_MS = 1_000

export type AppendArgs = readonly (string | number)[]

/** What the append script answers for each room of a call: see its head. A text is the error for which that room failed. */
export type AppendReply = readonly ([1, string, string, string] | [0, number] | string)[]

/**
 * Makes several calls of the append script, and counts none before `replicas` replicas have all of them. Script and WAIT go out
 * in one pipeline: on another connection WAIT would know nothing of these writes. A batch of which too few replicas told in time has
 * failed although it is in the log: sent again it is answered from what the log knows of producers and keys, after another WAIT.
 *
 * `client` is blocked meanwhile, so it is to be used for nothing else.
 */
export function replicatedAppend(
  client: RedisClient,
  replicas: number,
): (calls: readonly AppendArgs[]) => Promise<AppendReply>[] {
  const runTogether = (calls: readonly AppendArgs[]): Promise<AppendReply>[] => {
    const pipeline = client.pipeline() as WithScript
    for (const args of calls) pipeline.roomappend(...args)
    pipeline.wait(replicas, WAIT_MS)
    const done = pipeline.exec().then((results) => results ?? [])
    return calls.map(async (_, i) => {
      const results = await done
      const reply = valueOf(results[i])
      const have = Number(valueOf(results[calls.length]))
      if (have >= replicas) return reply as AppendReply
      throw new Error(`${have} of ${replicas} replicas have it after ${WAIT_MS} ms`)
    })
  }
  return (calls) =>
    // One pipeline goes to one node, and each room may be on another.
    client instanceof Cluster ? calls.flatMap((args) => runTogether([args])) : runTogether(calls)
}

type WithScript = ChainableCommander & { roomappend(...args: AppendArgs): unknown }

function valueOf(result: readonly [error: Error | null, value: unknown] | undefined): unknown {
  if (result === undefined) throw new Error('no answer')
  const [error, value] = result
  if (error !== null) throw error
  return value
}
