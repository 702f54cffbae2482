import { repeat } from '../repeat.ts'
import type { GatewayPod, KubernetesApi } from './api.ts'

/** How often the leader looks, in milliseconds. */
const ROUND_MS = 10_000
/** Writes in one round: with 1,000 gateways whose costs all change, one a second. */
const ROUND_WRITES_MAX = 10
/** How long a pod's cost rests after it was written, in milliseconds. */
const REST_MS = 60_000
/** How far beyond the edge of a bucket connections must be, as a part of the edge, before the next bucket counts. */
const EDGE = 1 / 8

export interface CostWrite {
  readonly pod: string
  readonly cost: number
}

/**
 * What the deletion of a pod costs: its connections in powers of two, so that few of their changes are a write. Scaling down takes the pods
 * of the lowest bucket first, and those without connections cost 0. `current` is the cost that is written now: near the edge between two
 * buckets it stays.
 */
export function costOf(connections: number, current: number): number {
  const bucket = connections < 1 ? 0 : Math.floor(Math.log2(connections)) + 1
  // Somebody else's number: there is no bucket to stay in.
  if (current < 0) return bucket
  const edge = 2 ** (Math.max(bucket, current) - 1)
  const slack = Math.floor(edge * EDGE)
  if (bucket === current + 1 && connections < edge + slack) return current
  if (bucket === current - 1 && connections >= edge - slack) return current
  return bucket
}

/**
 * The costs to write now, those that are furthest from the truth first, at most `ROUND_WRITES_MAX`. Pods of which nothing is known keep
 * what they have, as do pods that leave and those written within `REST_MS`.
 */
export function costsToWrite({
  pods,
  connections,
  writtenAtMs,
  clockMs,
}: {
  readonly pods: readonly GatewayPod[]
  /** Of the gateways that report, by pod. */
  readonly connections: ReadonlyMap<string, number>
  readonly writtenAtMs: ReadonlyMap<string, number>
  readonly clockMs: number
}): CostWrite[] {
  const writes: (CostWrite & { readonly change: number })[] = []
  for (const { name, deletionCost: current = 0, isTerminating, isOver } of pods) {
    const count = connections.get(name)
    if (count === undefined || isTerminating || isOver) continue
    if (clockMs - (writtenAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < REST_MS) continue
    const cost = costOf(count, current)
    if (cost !== current) writes.push({ pod: name, cost, change: Math.abs(cost - current) })
  }
  return writes
    .sort((a, b) => b.change - a.change)
    .slice(0, ROUND_WRITES_MAX)
    .map(({ pod, cost }) => ({ pod, cost }))
}

/** Keeps the deletion costs of the gateways' pods, while this replica leads and knows enough. */
export function keepDeletionCosts({
  api,
  pods,
  connections,
  isLeader,
  clock,
  onWrite,
  onFailure,
  roundMs = ROUND_MS,
}: {
  readonly api: Pick<KubernetesApi, 'writeDeletionCost'>
  readonly pods: () => readonly GatewayPod[] | undefined
  /** By pod; undefined while not every gateway had the time to report. */
  readonly connections: () => ReadonlyMap<string, number> | undefined
  readonly isLeader: () => boolean
  /** Never jumps; in milliseconds. */
  readonly clock: () => number
  readonly onWrite: (write: CostWrite) => void
  readonly onFailure: (error: unknown) => void
  readonly roundMs?: number
}): { close(): Promise<void> } {
  /** Of pods that exist. */
  const writtenAtMs = new Map<string, number>()
  const round = async (signal: AbortSignal): Promise<void> => {
    const [existing, counts] = [pods(), connections()]
    if (existing === undefined || counts === undefined) return
    const names = new Set(existing.map(({ name }) => name))
    for (const name of writtenAtMs.keys()) if (!names.has(name)) writtenAtMs.delete(name)
    const writes = costsToWrite({
      pods: existing,
      connections: counts,
      writtenAtMs,
      clockMs: clock(),
    })
    for (const write of writes) {
      if (!isLeader() || signal.aborted) return
      // Before the answer: a write that failed may have arrived, and rests as well.
      writtenAtMs.set(write.pod, clock())
      const result = await api.writeDeletionCost(write.pod, write.cost)
      if (result === 'written') onWrite(write)
    }
  }
  return repeat(() => roundMs, round, onFailure)
}
