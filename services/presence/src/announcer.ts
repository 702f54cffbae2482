import { ANNOUNCE_INTERVAL_MS } from '@roomcast/protocol'
import { repeat } from './repeat.ts'
import type { Reports } from './reports.ts'
import type { Gateway, PresenceState } from './state.ts'

/**
 * The gateway that is to announce the members of those that are gone: always the same one while it is there, since it knows for how long
 * they have been. Undefined when there is none that can, or that stays.
 */
export function chooseAnnouncer(gateways: Iterable<Gateway>): string | undefined {
  let chosen: string | undefined
  for (const { instance, info, hasReported, totals } of gateways) {
    if (info.announces !== true || !hasReported || totals.draining) continue
    if (chosen === undefined || instance < chosen) chosen = instance
  }
  return chosen
}

/**
 * Has the quits of lost gateways' members announced, while this replica leads and knows every gateway. A gateway does the work, since it
 * has the store and a way to the brokers; this replica only says who lives.
 */
export function startAnnouncing({
  state,
  isLeader,
  reports,
}: {
  readonly state: PresenceState
  readonly isLeader: () => boolean
  readonly reports: Pick<Reports, 'announce'>
}): { close(): Promise<void> } {
  const round = (): void => {
    if (!isLeader() || !state.isComplete) return
    const announcer = chooseAnnouncer(state.gateways.values())
    if (announcer !== undefined) reports.announce(announcer, [...state.gateways.keys()])
  }
  // It fails by a fault of the program alone, which is not to be passed over.
  return repeat(
    () => ANNOUNCE_INTERVAL_MS,
    round,
    (error) => {
      throw error
    },
  )
}
