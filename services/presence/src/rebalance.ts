import { plan, type Action, type Desired, type Load } from './plan.ts'
import { repeat } from './repeat.ts'
import type { PresenceState } from './state.ts'
import { connectionsOf } from './views.ts'

/** Connections above the mean that are not worth a move. */
const TOLERATED_CONNECTIONS = 20
/** Connections that move in one round at most: what an ingress and the gateways take within seconds without being noticed. */
const ROUND_CONNECTIONS_MAX = 2_000
/** The part of a round in which the connections of that round move; the rest is for them to arrive and be reported. */
const MOVING_PART = 0.5

export interface RebalanceConfig {
  /** How far above the mean a gateway may be, as a part of the mean. */
  readonly tolerance: number
  /** The part of its connections that a gateway sheds in one round. */
  readonly batch: number
  readonly intervalMs: number
}

/** Tells gateways that have too many connections to shed some, while this replica leads and knows every gateway. */
export function startRebalance(
  { tolerance, batch, intervalMs }: RebalanceConfig,
  {
    state,
    isLeader,
    clock,
    shed,
    onShed,
    onFailure,
  }: {
    readonly state: PresenceState
    readonly isLeader: () => boolean
    /** Never jumps; in milliseconds. */
    readonly clock: () => number
    /** Tells a gateway; false when it can not be told. */
    readonly shed: (instance: string, connections: number, withinMs: number) => boolean
    readonly onShed: (action: Action) => void
    readonly onFailure: (error: unknown) => void
  },
): { close(): Promise<void> } {
  const desired: Desired = {
    tolerance,
    toleratedConnections: TOLERATED_CONNECTIONS,
    batch,
    roundConnections: ROUND_CONNECTIONS_MAX,
    cooldownMs: intervalMs,
  }
  /** By instance; of gateways that are there. */
  let shedAtMs = new Map<string, number>()
  let instances = ''
  // A replica that leads from now on does not know what the one before it asked for.
  let changedAtMs = clock()
  let wasLeader = false

  const round = (): void => {
    const isLeading = isLeader() && state.isComplete
    const reporting = [...state.gateways.values()].filter(({ hasReported }) => hasReported)
    const found = reporting
      .map(({ instance }) => instance)
      .sort()
      .join()
    if (found !== instances || isLeading !== wasLeader) changedAtMs = clock()
    instances = found
    wasLeader = isLeading
    if (!isLeading) return
    const gateways = reporting.map((gateway): Load => ({
      instance: gateway.instance,
      connections: connectionsOf(gateway),
      isDraining: gateway.totals.draining,
      sheds: gateway.info.sheds === true,
      shedAtMs: shedAtMs.get(gateway.instance),
    }))
    shedAtMs = new Map([...shedAtMs].filter(([instance]) => state.gateways.has(instance)))
    for (const action of plan({ clockMs: clock(), gateways, changedAtMs }, desired)) {
      const { instance, connections } = action
      if (!shed(instance, connections, Math.round(intervalMs * MOVING_PART))) continue
      shedAtMs.set(instance, clock())
      onShed(action)
    }
  }
  // More often than it acts, so that a gateway that came and went between two rounds is noticed.
  return repeat(() => intervalMs / 4, round, onFailure)
}
