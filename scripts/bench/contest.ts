import type { Group, TalkPlan } from '../clients/crowd.ts'
import { connectMembers, type Contestant, type Window } from './contestant.ts'
import { spread, type Row, type Spread } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem, SYSTEMS, type SystemName, type SystemOptions } from './systems.ts'

/** The same members on Roomcast and on both kinds of stock Socket.IO. */
export interface Contest extends AsyncDisposable {
  /** Measures each system in turn, as many rounds as the scale says: what disturbs the machine for a while disturbs all of them. */
  measure(talk: TalkPlan): Promise<Results>
}

export interface Results {
  readonly windows: Readonly<Record<SystemName, readonly Window[]>>
  /** Faults of Roomcast, and clients that were the limit. */
  readonly notes: readonly string[]
  /** Whether everything that was sent to Roomcast arrived at every member, once and in order. */
  readonly isProven: boolean
}

/** Clients that use more of their core than this may be what limits. */
const BUSY_CLIENT = 0.85

export async function startContest(
  groups: readonly Group[],
  options: BenchOptions,
  { isApart, ...system }: { readonly isApart: boolean } & Partial<SystemOptions>,
): Promise<Contest> {
  const { scale, cores, flags, profiles, note } = options
  const stack = new AsyncDisposableStack()
  try {
    const contestants: [SystemName, Contestant][] = []
    for (const name of SYSTEMS) {
      const started = stack.use(
        await startSystem(name, {
          cores,
          profiles,
          flags: name === 'roomcast' ? flags : [],
          ...system,
        }),
      )
      contestants.push([name, stack.use(await connectMembers(started, groups, { cores, isApart }))])
    }
    const all = stack.move()
    return {
      async measure(talk) {
        const windows: Record<SystemName, Window[]> = {
          roomcast: [],
          'stock classic': [],
          'stock sharded': [],
        }
        const notes = new Set<string>()
        let isProven = true
        for (let round = 0; round < scale.rounds; round++) {
          for (const [name, contestant] of contestants) {
            const window = await contestant.measure(talk, scale.warmUpMs, scale.windowMs)
            windows[name].push(window)
            note(`${name}: ${windowText(window)}`)
            if (window.clientCores > BUSY_CLIENT)
              notes.add(`clients of ${name} used up to a full core: they may be the limit`)
            const faults = await contestant.prove()
            if (name === 'roomcast' && faults.length > 0) isProven = false
            for (const fault of faults) notes.add(`${name}: ${fault}`)
          }
        }
        return { windows, notes: [...notes], isProven }
      },
      [Symbol.asyncDispose]: () => all.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

function windowText(window: Window): string {
  const { deliveriesPerSecond, serverCores, clientCores, cores, latency } = window
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`
  const parts = Object.entries(cores).map(([name, share]) => `${name} ${percent(share)}`)
  return [
    `${Math.round(deliveriesPerSecond)} deliveries a second`,
    `CPU ${percent(serverCores)} (${parts.join(', ')}), clients ${percent(clientCores)}`,
    `${((1_000_000 * serverCores) / deliveriesPerSecond).toFixed(2)} us each`,
    `p50 ${latency.p50.toFixed(1)} p99 ${latency.p99.toFixed(1)} ms`,
  ].join(', ')
}

/** The figures of one kind of window for each system. */
export function figuresOf({ windows }: Results): Row['figures'] {
  return Object.fromEntries(
    SYSTEMS.map((name) => {
      const of = (value: (window: Window) => number): Spread => spread(windows[name].map(value))
      return [
        name,
        {
          deliveriesPerSecond: of(({ deliveriesPerSecond }) => deliveriesPerSecond),
          deliveriesPerCpuSecond: of(({ deliveriesPerCpuSecond }) => deliveriesPerCpuSecond),
          serverCores: of(({ serverCores }) => serverCores),
          ...Object.fromEntries(
            Object.keys(windows[name][0]?.cores ?? {}).map((process) => [
              `${process}Cores`,
              of(({ cores }) => cores[process] ?? 0),
            ]),
          ),
          clientCores: of(({ clientCores }) => clientCores),
          p50Ms: of(({ latency }) => latency.p50),
          p99Ms: of(({ latency }) => latency.p99),
        },
      ]
    }),
  )
}

/** The better of the two stock systems by a figure. */
export function bestStock(
  figures: Row['figures'],
  figure: string,
  better: 'higher' | 'lower',
): Readonly<Record<string, Spread>> {
  const stocks = SYSTEMS.filter((name) => name !== 'roomcast').map((name) => figures[name] ?? {})
  const sign = better === 'higher' ? -1 : 1
  const value = (of: Readonly<Record<string, Spread>>): number =>
    sign * (of[figure]?.median ?? Number.NaN)
  return stocks.toSorted((a, b) => value(a) - value(b))[0] ?? {}
}

/** The median of a figure. NaN when there is none. */
export function medianOf(figures: Readonly<Record<string, Spread>>, figure: string): number {
  return figures[figure]?.median ?? Number.NaN
}
