import type { Namespace } from './namespace.ts'
import type { Pod } from './release.ts'

/** What the one container of a pod has used, in the words of its cgroup: what its limits are held against. */
export interface Usage {
  /** What counts against the limit and can not be given back at once, kernel memory included: kubectl calls it the working set. */
  readonly workingSetBytes: number
  /** The highest that ever counted against the limit, pages of files included. */
  readonly peakBytes: number
  readonly limitBytes: number
  /** Resident memory of process 1, pages of files and libraries that it shares included. */
  readonly residentBytes: number
  /** CPU time of all its processes so far. */
  readonly cpuMs: number
}

const SCRIPT = `cd /sys/fs/cgroup
if [ -e cgroup.controllers ]; then
  cat memory.current memory.peak memory.max
  sed -n 's/^inactive_file //p' memory.stat
  sed -n 's/^usage_usec \\(.*\\)/\\1000/p' cpu.stat
else
  cd memory
  cat memory.usage_in_bytes memory.max_usage_in_bytes memory.limit_in_bytes
  sed -n 's/^total_inactive_file //p' memory.stat
  cat ../cpuacct/cpuacct.usage
fi
sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/1/status`

/** Reads the cgroup within the pod, of either version. It costs the pod two processes of a moment. */
export async function usageOf(namespace: Namespace, pod: Pod): Promise<Usage> {
  const { name } = pod.metadata
  const printed = await namespace.kubectl('exec', name, '--', 'sh', '-c', SCRIPT)
  const [current, peak, limit, inactive, cpuNs, residentKb] = printed.trim().split('\n')
  return {
    workingSetBytes: Number(current) - Number(inactive),
    peakBytes: Number(peak),
    // cgroup v2 says `max` where there is none.
    limitBytes: limit === 'max' ? Number.POSITIVE_INFINITY : Number(limit),
    residentBytes: 1_024 * Number(residentKb),
    cpuMs: Number(cpuNs) / 1e6,
  }
}
