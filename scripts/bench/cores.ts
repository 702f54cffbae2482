import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Where processes run: what is measured has a core of its own, and everything else the others. */
export interface Cores {
  readonly isPinned: boolean
  /** The core of what is measured. */
  readonly servers: string
  /** Redis, clients, and whatever is not measured. */
  readonly others: string
  /** Keeps a process, with all its threads, on cores. */
  pin(pid: number, cores: string): void
}

/** Without a second core, or without `taskset`, nothing is pinned. */
export function chooseCores(): Cores {
  const count = availableParallelism()
  const isPinned = count > 1 && spawnSync('taskset', ['--version']).status === 0
  return {
    isPinned,
    servers: '0',
    others: count > 2 ? `1-${count - 1}` : '1',
    pin(pid, cores) {
      if (isPinned) spawnSync('taskset', ['-a', '-c', '-p', cores, String(pid)])
    },
  }
}
