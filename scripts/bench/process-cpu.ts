import { readFile } from 'node:fs/promises'

/** Clock ticks a second, in which Linux counts: the same on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100

/** Seconds of a core that a process has used since its start, in user space and in the kernel. Linux alone. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name before may hold anything, also spaces: the last parenthesis ends it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
