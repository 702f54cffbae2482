import type { Cores } from './cores.ts'
import { SYSTEMS, type SystemName } from './systems.ts'

/** How long and how often is measured: the full form, or the quick one that shows whether something is badly off. */
export interface Scale {
  readonly systems: readonly SystemName[]
  readonly rounds: number
  readonly warmUpMs: number
  readonly windowMs: number
  /** Connections of the memory row. */
  readonly idleConnections: number
  /** Connections of one round of the row about new connections. */
  readonly newConnections: number
  readonly saysPerRound: number
  /** How long a reader stalls: the system's own buffers are full only after a while. */
  readonly stallMs: number
}

export const FULL: Scale = {
  systems: SYSTEMS,
  rounds: 5,
  warmUpMs: 1_000,
  windowMs: 3_000,
  idleConnections: 10_000,
  newConnections: 2_000,
  saysPerRound: 2_000,
  stallMs: 25_000,
}

export const QUICK: Scale = {
  // The better one of the two, nearly always.
  systems: ['roomcast', 'stock sharded'],
  rounds: 1,
  warmUpMs: 500,
  windowMs: 1_500,
  idleConnections: 2_000,
  newConnections: 1_000,
  saysPerRound: 500,
  stallMs: 10_000,
}

/** What every row is measured with. */
export interface BenchOptions {
  readonly scale: Scale
  readonly cores: Cores
  /** Flags of V8 for Roomcast's processes, and for a second stock server where memory is compared. */
  readonly flags: readonly string[]
  /** Folder for CPU profiles of the server processes. */
  readonly profiles: string | undefined
  /** Says how far it is. */
  readonly note: (line: string) => void
}
