import type { Cores } from './cores.ts'

/** How long and how often is measured: the full form, or the quick one that shows whether something is badly off. */
export interface Scale {
  readonly rounds: number
  readonly warmUpMs: number
  readonly windowMs: number
  /** Connections of the memory row. */
  readonly idleConnections: number
  /** Connections of one round of the row about new connections. */
  readonly newConnections: number
  readonly saysPerRound: number
  /** Time in which the row with a stalled reader fills its buffers. */
  readonly stallMs: number
}

export const FULL: Scale = {
  rounds: 5,
  warmUpMs: 1_000,
  windowMs: 3_000,
  idleConnections: 10_000,
  newConnections: 4_000,
  saysPerRound: 2_000,
  stallMs: 25_000,
}

export const QUICK: Scale = {
  rounds: 1,
  warmUpMs: 500,
  windowMs: 1_500,
  idleConnections: 2_000,
  newConnections: 1_000,
  saysPerRound: 500,
  stallMs: 4_000,
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
