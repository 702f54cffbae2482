import { z } from 'zod'

/** What `node --cpu-prof` writes, as far as it matters here. */
const CpuProfile = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
      children: z.array(z.int()).optional(),
    }),
  ),
  /** On the system's clock that never jumps, in microseconds, as `process.hrtime`. */
  startTime: z.number(),
  /** Of nodes, one a sample. */
  samples: z.array(z.int()),
  /** In microseconds, before each sample. */
  timeDeltas: z.array(z.number()),
})
export type CpuProfile = z.infer<typeof CpuProfile>

export function parseProfile(json: string): CpuProfile {
  return CpuProfile.parse(JSON.parse(json))
}

/** Now, on the clock of profiles. */
export function profileTimeUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

/**
 * How much of a span of time the process was busy, and what part of that had a function of one of the modules (parts of their URLs)
 * on its stack, or was spent in one of `ownModules` itself. In percent.
 */
export function busyShare(
  { nodes, startTime, samples, timeDeltas }: CpuProfile,
  modules: readonly string[],
  [fromUs, toUs]: readonly [number, number],
  ownModules: readonly string[] = [],
): { readonly busyPercent: number; readonly sharePercent: number } {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const within = new Set<number>()
  const mark = (id: number, isCaller: boolean): void => {
    const node = byId.get(id)
    if (node === undefined) return
    const isOf = (module: string): boolean => node.callFrame.url.includes(module)
    const isWithin = isCaller || modules.some(isOf)
    if (isWithin || ownModules.some(isOf)) within.add(id)
    for (const child of node.children ?? []) mark(child, isWithin)
  }
  const [root] = nodes
  if (root !== undefined) mark(root.id, false)

  let [atUs, busyUs, withinUs] = [startTime, 0, 0]
  for (const [i, id] of samples.entries()) {
    const tookUs = timeDeltas[i] ?? 0
    atUs += tookUs
    if (atUs < fromUs || atUs > toUs) continue
    if (byId.get(id)?.callFrame.functionName === '(idle)') continue
    busyUs += tookUs
    if (within.has(id)) withinUs += tookUs
  }
  return { busyPercent: (busyUs / (toUs - fromUs)) * 100, sharePercent: (withinUs / busyUs) * 100 }
}
