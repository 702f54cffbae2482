import { Cluster, type ChainableCommander } from 'ioredis'
import type { RedisClient } from './connect.ts'

/** How long an append waits for its replicas, in milliseconds: then it has failed, and comes again. Less than a command may take. */
const WAIT_MS = 1_000

export type AppendArgs = readonly (string | number)[]

/** What the append script answers: see its head. */
export type AppendReply = [1, string, string, string] | [0, number]
/** The same of the script of moderation. */
export type ActReply = AppendReply | [-1, number]

/**
 * Runs the append script for each of several batches, and counts none before `replicas` replicas have all of them. Script and WAIT go out
 * in one pipeline: on another connection WAIT would know nothing of these writes. A batch of which too few replicas told in time has
 * failed although it is in the log: sent again it is answered from what the log knows of producers and keys, after another WAIT.
 *
 * `client` is blocked meanwhile, so it is to be used for nothing else.
 */
export function replicatedAppend(
  client: RedisClient,
  replicas: number,
): (batches: readonly AppendArgs[]) => Promise<AppendReply>[] {
  return (batches) =>
    // One pipeline goes to one node, and each room may be on another.
    client instanceof Cluster
      ? batches.flatMap((args) => runTogether(client, replicas, 'roomappend', [args]))
      : runTogether(client, replicas, 'roomappend', batches)
}

/** The same for an act of a moderator, which appends too. */
export function replicatedAct(
  client: RedisClient,
  replicas: number,
): (args: AppendArgs) => Promise<ActReply> {
  return async (args) => {
    const [reply] = runTogether<ActReply>(client, replicas, 'roommoderate', [args])
    if (reply === undefined) throw new Error('no answer')
    return reply
  }
}

function runTogether<Reply = AppendReply>(
  client: RedisClient,
  replicas: number,
  script: 'roomappend' | 'roommoderate',
  batches: readonly AppendArgs[],
): Promise<Reply>[] {
  const pipeline = client.pipeline() as WithScripts
  for (const args of batches) pipeline[script](...args)
  pipeline.wait(replicas, WAIT_MS)
  const done = pipeline.exec().then((results) => results ?? [])
  return batches.map(async (_, i) => {
    const results = await done
    const reply = valueOf(results[i])
    const have = Number(valueOf(results[batches.length]))
    if (have >= replicas) return reply as Reply
    throw new Error(`${have} of ${replicas} replicas have it after ${WAIT_MS} ms`)
  })
}

type WithScripts = ChainableCommander & {
  roomappend(...args: AppendArgs): unknown
  roommoderate(...args: AppendArgs): unknown
}

function valueOf(result: readonly [error: Error | null, value: unknown] | undefined): unknown {
  if (result === undefined) throw new Error('no answer')
  const [error, value] = result
  if (error !== null) throw error
  return value
}
