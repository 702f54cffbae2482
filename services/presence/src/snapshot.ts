import { isDeepStrictEqual } from 'node:util'
import type { GatewayView, PresenceChange, PresenceView, StatsView } from '@roomcast/protocol'
import type { z } from 'zod'
import type { PresenceState } from './state.ts'
import { busiestRooms, gatewaysOf, statsOf } from './views.ts'

/** Rooms that a snapshot has of all that there are. */
export const SNAPSHOT_ROOMS = 50

/** What is true at one moment, as far as a dashboard shows it. Values are never changed, so two snapshots may share them. */
export interface Snapshot {
  readonly stats: z.infer<typeof StatsView>
  /** By instance. */
  readonly gateways: ReadonlyMap<string, z.infer<typeof GatewayView>>
  readonly rooms: PresenceView['rooms']
}

/** O(rooms + gateways). */
export function snapshotOf(state: PresenceState): Snapshot {
  return {
    stats: statsOf(state),
    gateways: new Map(gatewaysOf(state).map((gateway) => [gateway.instance, gateway])),
    rooms: busiestRooms(state, { limit: SNAPSHOT_ROOMS }),
  }
}

/** What to change in `before` to have `after`; undefined when that is nothing. The age of a report alone is no change. */
export function changesBetween(
  before: Snapshot,
  after: Snapshot,
): Omit<PresenceChange, 'at'> | undefined {
  const changed = [...after.gateways.values()].filter(
    (gateway) => !isSameGateway(before.gateways.get(gateway.instance), gateway),
  )
  const gone = [...before.gateways.keys()].filter((instance) => !after.gateways.has(instance))
  const changes = {
    ...(isDeepStrictEqual(before.stats, after.stats) ? {} : { stats: after.stats }),
    ...(changed.length === 0 && gone.length === 0 ? {} : { gateways: { changed, gone } }),
    ...(isDeepStrictEqual(before.rooms, after.rooms) ? {} : { rooms: after.rooms }),
  }
  return Object.keys(changes).length === 0 ? undefined : changes
}

function isSameGateway(
  before: z.infer<typeof GatewayView> | undefined,
  after: z.infer<typeof GatewayView>,
): boolean {
  return before !== undefined && isDeepStrictEqual({ ...before, ageMs: 0 }, { ...after, ageMs: 0 })
}
