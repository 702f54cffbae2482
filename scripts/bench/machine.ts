import { cpus } from 'node:os'

/** On what was measured. */
export interface Machine {
  readonly node: string
  readonly cores: number
  readonly cpu: string
}

/** And how. */
export interface Run extends Machine {
  readonly isPinned: boolean
  readonly isQuick: boolean
  readonly rounds: number
  /** Flags of V8 that Roomcast ran with. */
  readonly v8: string
  readonly seconds: number
}

export function thisMachine(): Machine {
  const [cpu] = cpus()
  return { node: process.version, cores: cpus().length, cpu: cpu?.model ?? 'unknown' }
}
