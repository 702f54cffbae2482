import type { z } from 'zod'
import {
  REPORT_BEAT_INTERVAL_MS,
  type GatewayInfo,
  type GatewayView,
  type MembersQuery,
  type MembersView,
  type MemberView,
  type RoomId,
  type RoomsQuery,
  type RoomsView,
  type RoomView,
  type StatsView,
} from '@roomcast/protocol'
import { membersIn, ownersIn, userOf, usersIn, type Room } from './roster.ts'
import { byText, firstOf } from './selection.ts'
import type { Gateway, PresenceState } from './state.ts'

/** Two beats: one may be late by as much as the network and a busy loop make it. In milliseconds. */
const SILENT_AFTER_MS = 2 * REPORT_BEAT_INTERVAL_MS

/** Totals of the cluster. O(gateways). */
export function statsOf({
  gateways,
  roster,
  isComplete,
}: PresenceState): z.infer<typeof StatsView> {
  const transports = { websocket: 0, polling: 0 }
  for (const { totals } of gateways.values()) {
    transports.websocket += totals.connections.websocket
    transports.polling += totals.connections.polling
  }
  return {
    connections: transports.websocket + transports.polling,
    transports,
    members: roster.members,
    rooms: roster.occupied,
    gateways: gateways.size,
    complete: isComplete,
  }
}

/** Every gateway that reports, and every pod of which no gateway does, by pod. */
export function gatewaysOf(state: PresenceState): z.infer<typeof GatewayView>[] {
  const { gateways, clockMs } = state
  return [...gateways.values()]
    .map(({ info, totals, members, rooms, heardAtMs }): z.infer<typeof GatewayView> => ({
      instance: info.instance,
      pod: info.pod,
      address: info.address,
      version: info.version,
      startedAt: info.startedAt,
      state:
        clockMs - heardAtMs > SILENT_AFTER_MS ? 'silent' : totals.draining ? 'draining' : 'ready',
      connections: totals.connections,
      members,
      rooms,
      ageMs: Math.round(clockMs - heardAtMs),
    }))
    .concat(silentPodsOf(state))
    .sort((a, b) => byText(a.pod, b.pod) || byText(a.instance, b.instance))
}

/** Pods that should report and do not. Those that are on their way out have said goodbye, or need not. */
export function silentPodsOf({
  pods = [],
  gateways,
  nowMs,
}: PresenceState): z.infer<typeof GatewayView>[] {
  const reporting = new Set([...gateways.values()].map(({ info }) => info.pod))
  return pods
    .filter(({ name, isTerminating, isOver }) => !isTerminating && !isOver && !reporting.has(name))
    .map(({ uid, name, ip, createdAtMs }) => ({
      instance: uid,
      pod: name,
      address: ip,
      version: '',
      startedAt: createdAtMs,
      state: 'not_reporting',
      connections: { websocket: 0, polling: 0 },
      members: 0,
      rooms: 0,
      // It never reported to this replica: what there is to tell is how long it has been there.
      ageMs: Math.max(0, Math.round(nowMs - createdAtMs)),
    }))
}

/** Connections of a gateway, of every transport. */
export function connectionsOf({ totals: { connections } }: Gateway): number {
  return connections.websocket + connections.polling
}

/** Connections of the gateways that have reported, by pod. */
export function connectionsByPod({ gateways }: PresenceState): Map<string, number> {
  const byPod = new Map<string, number>()
  for (const gateway of gateways.values()) {
    const { hasReported, info } = gateway
    if (hasReported) byPod.set(info.pod, (byPod.get(info.pod) ?? 0) + connectionsOf(gateway))
  }
  return byPod
}

/** What gateways are told of each other, in an order that does not change by itself. */
export function gatewayList({ gateways }: PresenceState): GatewayInfo[] {
  return [...gateways.values()]
    .map(({ info }) => info)
    .sort((a, b) => byText(a.instance, b.instance))
}

/** The busiest rooms whose id contains `search`, whatever its case; rooms with equally many members by id. O(rooms). */
export function busiestRooms(
  { roster }: PresenceState,
  { limit, search = '' }: z.output<typeof RoomsQuery>,
): z.infer<typeof RoomsView> {
  const wanted = search.normalize('NFC').toLowerCase()
  const isWanted = ({ id, online }: Room<Gateway>): boolean =>
    online > 0 && (wanted === '' || id.toLowerCase().includes(wanted))
  let total = 0
  function* matching(): Iterable<Room<Gateway>> {
    for (const room of roster.rooms.values()) {
      if (!isWanted(room)) continue
      total++
      yield room
    }
  }
  const busiest = firstOf(matching(), limit, (a, b) => b.online - a.online || byText(a.id, b.id))
  return { rooms: busiest.map((room) => roomView(room.id, room)), total }
}

/** One room; one that nobody is in is a room of none. */
export function roomOf({ roster }: PresenceState, room: RoomId): z.infer<typeof RoomView> {
  return roomView(room, roster.rooms.get(room))
}

function roomView(id: RoomId, room: Room<Gateway> | undefined): z.infer<typeof RoomView> {
  return {
    room: id,
    online: room?.online ?? 0,
    users: room === undefined ? 0 : usersIn(room),
    gateways: room === undefined ? 0 : ownersIn(room).size,
  }
}

/**
 * Who is in a room: each user once, with its connections, who is there for longest first; of a room with more than `limit` users the
 * numbers alone. O(members of the room).
 */
export function membersOf(
  { roster }: PresenceState,
  id: RoomId,
  { limit }: z.output<typeof MembersQuery>,
): MembersView {
  const room = roster.rooms.get(id)
  const counts = {
    room: id,
    online: room?.online ?? 0,
    users: room === undefined ? 0 : usersIn(room),
  }
  if (counts.users > limit) return counts
  const byUser = new Map<string, MemberView>()
  for (const claim of room === undefined ? [] : membersIn(room)) {
    const { name, user, since, owner } = claim
    const known = byUser.get(userOf(claim))
    const connections = (known?.connections ?? 0) + 1
    byUser.set(
      userOf(claim),
      known !== undefined && known.since <= since
        ? { ...known, connections }
        : {
            name,
            ...(user === undefined ? {} : { user }),
            since,
            gateway: owner.info.pod,
            connections,
          },
    )
  }
  const members = [...byUser.values()]
  return { ...counts, members: members.sort((a, b) => a.since - b.since || byText(a.name, b.name)) }
}
