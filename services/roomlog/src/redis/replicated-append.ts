import { Cluster, type ChainableCommander } from 'ioredis'
import type { RedisClient } from './connect.ts'

/** How long an append waits for its replicas, in milliseconds: then it has failed, and comes again. Less than a command may take. */
const WAIT_MS = 1_000

export type AppendArgs = readonly (string | number)[]

/** What the append script answers for one room: see its head. */
type RoomReply = [1, string, string, string] | [0, number]
/** The same for each room of a call. A text is the error for which that room failed. */
export type AppendReply = readonly (RoomReply | string)[]
/** What the script of moderation answers. */
export type ActReply = RoomReply | [-1, number]

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
  return (calls) =>
    // One pipeline goes to one node, and each room may be on another.
    client instanceof Cluster
      ? calls.flatMap((args) => runTogether<AppendReply>(client, replicas, 'roomappend', [args]))
      : runTogether<AppendReply>(client, replicas, 'roomappend', calls)
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

function runTogether<Reply>(
  client: RedisClient,
  replicas: number,
  script: 'roomappend' | 'roommoderate',
  calls: readonly AppendArgs[],
): Promise<Reply>[] {
  const pipeline = client.pipeline() as WithScripts
  for (const args of calls) pipeline[script](...args)
  pipeline.wait(replicas, WAIT_MS)
  const done = pipeline.exec().then((results) => results ?? [])
  return calls.map(async (_, i) => {
    const results = await done
    const reply = valueOf(results[i])
    const have = Number(valueOf(results[calls.length]))
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
