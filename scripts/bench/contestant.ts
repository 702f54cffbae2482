import { setTimeout as pause } from 'node:timers/promises'
import type { Account, Group, TalkPlan } from '../clients/crowd.ts'
import { startCrowd, type CrowdLink } from '../clients/crowd-link.ts'
import { createLatencies, type LatencySummary } from '../clients/latencies.ts'
import type { Cores } from './cores.ts'
import type { System } from './systems.ts'

/** What happened in one window of time. */
export interface Window {
  readonly seconds: number
  /** Messages that arrived at members, all members added up, a second. */
  readonly deliveriesPerSecond: number
  readonly sentPerSecond: number
  /** CPU time of each server process, in cores. */
  readonly cores: Readonly<Record<string, number>>
  /** Of all server processes together. */
  readonly serverCores: number
  readonly deliveriesPerCpuSecond: number
  /** CPU time of the clients, in cores: near 1 they are what limits. */
  readonly clientCores: number
  readonly latency: LatencySummary
}

/** A system with members connected to it. */
export interface Contestant extends AsyncDisposable {
  readonly system: System
  /** Lets the members talk, and measures once they have for a while. */
  measure(talk: TalkPlan, warmUpMs: number, windowMs: number): Promise<Window>
  /** Sends nothing new, and proves that what was sent is what arrived. Empty: it is. */
  prove(): Promise<readonly string[]>
}

/** Members that connect at a time. */
const CONCURRENCY = 32
/** Ports of one address are enough for some 28,000 connections; closed ones keep theirs for a minute. */
export const LOCAL_ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']

/**
 * Connects members to a system. With `isApart` those who talk or witness are in a process of their own, so that latencies are not those
 * of a client that is busy counting.
 */
export async function connectMembers(
  system: System,
  groups: readonly Group[],
  { cores, isApart }: { readonly cores: Cores; readonly isApart: boolean },
): Promise<Contestant> {
  const stack = new AsyncDisposableStack()
  try {
    const plans = isApart ? apart(groups) : [groups]
    const crowds = plans.map(() => stack.use(startCrowd()))
    for (const { pid } of crowds) cores.pin(pid, cores.others)
    // One after the other: the last member of all to join is a witness.
    for (const [i, crowd] of crowds.entries()) {
      await crowd.join({
        url: system.url,
        groups: plans[i] ?? [],
        prefix: i === 0 ? 'm' : 'w',
        concurrency: CONCURRENCY,
        isBrowser: false,
        localAddresses: LOCAL_ADDRESSES,
      })
    }
    const talkers = crowds.at(-1)
    if (talkers === undefined) throw new Error('nobody to talk')
    const started = stack.move()
    return {
      system,
      async measure(talk, warmUpMs, windowMs) {
        await talkers.talk(talk)
        await pause(warmUpMs)
        const before = await snapshot(system, crowds)
        await pause(windowMs)
        const after = await snapshot(system, crowds)
        return between(before, after)
      },
      async prove() {
        const taken = await talkers.hush()
        const accounts = await Promise.all(crowds.map((crowd) => crowd.account(taken)))
        return faultsOf(accounts)
      },
      async [Symbol.asyncDispose]() {
        await started.disposeAsync()
      },
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

/** First those who only count, then those who talk and witness. */
function apart(groups: readonly Group[]): readonly (readonly Group[])[] {
  return [
    groups.map(({ members, witnesses, senders, ...rest }) => ({
      ...rest,
      members: members - Math.max(witnesses, senders),
      witnesses: 0,
      senders: 0,
    })),
    groups.map(({ room, witnesses, senders }) => {
      const members = Math.max(witnesses, senders)
      return { room, members, witnesses, senders }
    }),
  ]
}

interface Snapshot {
  readonly atMs: number
  readonly cpu: Readonly<Record<string, number>>
  readonly marks: readonly Awaited<ReturnType<CrowdLink['mark']>>[]
}

async function snapshot(system: System, crowds: readonly CrowdLink[]): Promise<Snapshot> {
  const marks = await Promise.all(crowds.map((crowd) => crowd.mark()))
  return { atMs: performance.now(), cpu: await system.cpu(), marks }
}

/** Clients count by their own clock: a busy one answers late. */
function between(before: Snapshot, after: Snapshot): Window {
  const latencies = createLatencies()
  let deliveriesPerSecond = 0
  let sentPerSecond = 0
  let clientCores = 0
  for (const [i, mark] of after.marks.entries()) {
    const earlier = before.marks[i]
    if (earlier === undefined) continue
    const seconds = (mark.atUs - earlier.atUs) / 1_000_000
    deliveriesPerSecond += (mark.deliveries - earlier.deliveries) / seconds
    sentPerSecond += (mark.sent - earlier.sent) / seconds
    clientCores += (mark.cpuUs - earlier.cpuUs) / 1_000_000 / seconds
    latencies.add(mark.latencies)
  }
  const seconds = (after.atMs - before.atMs) / 1_000
  const cores = Object.fromEntries(
    Object.entries(after.cpu).map(([name, cpu]) => [
      name,
      (cpu - (before.cpu[name] ?? 0)) / seconds,
    ]),
  )
  const serverCores = Object.values(cores).reduce((sum, share) => sum + share, 0)
  return {
    seconds,
    deliveriesPerSecond,
    sentPerSecond,
    cores,
    serverCores,
    deliveriesPerCpuSecond: deliveriesPerSecond / serverCores,
    clientCores,
    latency: latencies.summary(),
  }
}

function faultsOf(accounts: readonly Account[]): readonly string[] {
  const faults: string[] = []
  const add = (count: number, what: string): void => {
    if (count > 0) faults.push(`${count} ${what}`)
  }
  const sum = (of: (account: Account) => number): number =>
    accounts.reduce((total, account) => total + of(account), 0)
  add(
    sum(({ missing }) => missing),
    'missing',
  )
  add(
    sum(({ surplus }) => surplus),
    'too many',
  )
  add(
    sum(({ disordered }) => disordered),
    'out of order',
  )
  add(
    sum(({ refused }) => refused),
    'refused',
  )
  add(
    sum(({ orders }) => orders.filter((of) => new Set(of).size > 1).length),
    'rooms whose witnesses saw different orders',
  )
  for (const { closed } of accounts)
    for (const [reason, count] of Object.entries(closed)) add(count, `connections: ${reason}`)
  return faults
}
