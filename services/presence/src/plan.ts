/** One gateway as the plan sees it. */
export interface Load {
  readonly instance: string
  readonly connections: number
  readonly isDraining: boolean
  /** Whether it can be told to shed. */
  readonly sheds: boolean
  /** When it was last told to; undefined: never. */
  readonly shedAtMs: number | undefined
}

export interface Current {
  /** On the clock of the other times here, which never jumps. */
  readonly clockMs: number
  readonly gateways: readonly Load[]
  /** When a gateway last came or went. */
  readonly changedAtMs: number
}

export interface Desired {
  /** How far above the mean a gateway may be, as a part of the mean. */
  readonly tolerance: number
  /** Connections above the mean that are never worth a move: where there are few, one makes a large part. */
  readonly toleratedConnections: number
  /** The part of its connections that a gateway sheds in one round. More than 0, at most 1. */
  readonly batch: number
  /** Connections that may move in one round, of all gateways together. */
  readonly roundConnections: number
  /** How long nothing is asked of a gateway that was told to shed, and of any after one came or went: what moves has to arrive first. */
  readonly cooldownMs: number
}

/** What one gateway is to do. */
export interface Action {
  readonly do: 'shed'
  readonly instance: string
  readonly connections: number
}

/**
 * How to even out the connections, a little at a time: gateways that have more than the mean and the tolerance shed some, the fullest
 * first. None is brought below the mean; nothing happens when all are within the tolerance, and while any gateway drains, whose
 * connections are still to arrive elsewhere. Repeated with what became of it, it comes to rest.
 */
export function plan(current: Current, desired: Desired): Action[] {
  const { gateways, clockMs, changedAtMs } = current
  const { tolerance, toleratedConnections, batch, roundConnections, cooldownMs } = desired
  if (gateways.some(({ isDraining }) => isDraining)) return []
  if (clockMs - changedAtMs < cooldownMs) return []
  const mean = gateways.reduce((sum, { connections }) => sum + connections, 0) / gateways.length
  const most = mean + Math.max(mean * tolerance, toleratedConnections)
  const actions: Action[] = []
  let budget = roundConnections
  const fullest = gateways
    .filter(({ connections }) => connections > most)
    .sort((a, b) => b.connections - a.connections || (a.instance < b.instance ? -1 : 1))
  for (const { instance, connections, sheds, shedAtMs } of fullest) {
    if (!sheds || (shedAtMs !== undefined && clockMs - shedAtMs < cooldownMs)) continue
    const shed = Math.min(
      Math.ceil(connections * batch),
      Math.floor(connections - mean),
      Math.floor(budget),
    )
    if (shed < 1) continue
    budget -= shed
    actions.push({ do: 'shed', instance, connections: shed })
  }
  return actions
}
