import { setTimeout as pause } from 'node:timers/promises'
import type { Credentials } from '../clients/credentials.ts'
import { createLatencies, type LatencySummary } from '../clients/latencies.ts'
import { localAddressesFor } from '../clients/local-addresses.ts'
import { further, type Cursor } from './cursor.ts'
import type { Progress, Transport } from './squad.ts'
import { startSquad, type RemoteSquad } from './squad-process.ts'

export interface LoadPlan {
  /** Base URLs of gateways, or of what stands before them: members are spread over them. */
  readonly urls: readonly string[]
  readonly connections: number
  readonly rooms: number
  /** Messages a second, all rooms together. */
  readonly perSecond: number
  readonly durationMs: number
  readonly transport: Transport
  readonly textBytes: number
  readonly credentials: Credentials
}

/** Everything added up over the processes, and over time but for `window`. */
export interface Totals extends Omit<Progress, 'latencies'> {
  readonly seconds: number
  /** Of the last second or so. */
  readonly window: LatencySummary
}

export interface LoadResult {
  readonly totals: Totals
  readonly latency: LatencySummary
  readonly violations: number
  readonly examples: readonly string[]
}

/** Members of one process: a core reads for about so many, and a process may have so many files open, twice over. */
const MEMBERS_PER_PROCESS = 5_000
const LOOK_MS = 1_000
/** A last moment for disconnect packets. */
const LEAVE_MS = 500

/**
 * Connects members, lets them talk for a while, and looks at everything that each of them gets: nothing lost, doubled, out of order, or
 * different from what others got. Rejects when members can not join.
 */
export async function drive(
  plan: LoadPlan,
  onLook: (phase: 'joining' | 'talking' | 'settling', totals: Totals) => void,
): Promise<LoadResult> {
  const { connections, rooms, transport, urls, credentials } = plan
  const count = Math.ceil(connections / MEMBERS_PER_PROCESS)
  await using stack = new AsyncDisposableStack()
  const squads = Array.from({ length: count }, () => stack.use(startSquad()))
  const latency = createLatencies()
  const startedAt = performance.now()
  let totals: Totals | undefined
  const look = async (phase: Parameters<typeof onLook>[0]): Promise<Totals> => {
    totals = await addUp(squads, latency, startedAt)
    onLook(phase, totals)
    return totals
  }
  /** Looks again and again until the work is done. */
  const watch = async <T>(phase: Parameters<typeof onLook>[0], work: Promise<T>): Promise<T> => {
    const done = work.then(
      () => true,
      () => true,
    )
    while (!(await Promise.race([done, pause(LOOK_MS, false)]))) await look(phase)
    return work
  }

  const run = `load-${Date.now().toString(36)}`
  const localAddresses = localAddressesFor(urls[0] ?? '')
  await watch(
    'joining',
    Promise.all(
      squads.map((squad, first) =>
        squad.connect({
          urls,
          run,
          rooms,
          transport,
          localAddresses,
          credentials,
          first,
          step: count,
          end: connections,
        }),
      ),
    ),
  )
  for (const squad of squads)
    await squad.talk({ perSecond: plan.perSecond / count, textBytes: plan.textBytes })
  await watch('talking', pause(plan.durationMs))
  const ends = mergeEnds(
    await watch('settling', Promise.all(squads.map((squad) => squad.hush()))),
    rooms,
  )
  const findings = await watch('settling', Promise.all(squads.map((squad) => squad.finish(ends))))
  const last = await look('settling')
  await Promise.all(squads.map((squad) => squad.close()))
  await pause(LEAVE_MS)
  return {
    totals: last,
    latency: latency.summary(),
    violations: findings.reduce((sum, { violations }) => sum + violations, 0),
    examples: findings.flatMap(({ examples }) => examples),
  }
}

function mergeEnds(
  lists: readonly (readonly (Cursor | null)[])[],
  rooms: number,
): readonly (Cursor | null)[] {
  return Array.from(
    { length: rooms },
    (_, room) =>
      lists.map((ends) => ends[room] ?? undefined).reduce((a, b) => further(a, b), undefined) ??
      null,
  )
}

async function addUp(
  squads: readonly RemoteSquad[],
  whole: ReturnType<typeof createLatencies>,
  startedAt: number,
): Promise<Totals> {
  const parts = await Promise.all(squads.map((squad) => squad.progress()))
  const window = createLatencies()
  const refused: Record<string, number> = {}
  for (const part of parts) {
    window.add(part.latencies)
    whole.add(part.latencies)
    for (const [code, count] of Object.entries(part.refused))
      refused[code] = (refused[code] ?? 0) + count
  }
  const sum = (of: (part: Progress) => number): number =>
    parts.reduce((total, part) => total + of(part), 0)
  return {
    seconds: (performance.now() - startedAt) / 1_000,
    connected: sum(({ connected }) => connected),
    sent: sum(({ sent }) => sent),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    deliveries: sum(({ deliveries }) => deliveries),
    disconnects: sum(({ disconnects }) => disconnects),
    recovered: sum(({ recovered }) => recovered),
    told: sum(({ told }) => told),
    epochs: sum(({ epochs }) => epochs),
    violations: sum(({ violations }) => violations),
    refused,
    window: window.summary(),
  }
}
