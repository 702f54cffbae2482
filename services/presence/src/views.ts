import type { z } from 'zod'
import type {
  GatewayInfo,
  GatewayView,
  MembersQuery,
  MembersView,
  RoomId,
  RoomsQuery,
  RoomsView,
  RoomView,
  StatsView,
} from '@roomcast/protocol'
import type { Claim, Room } from './roster.ts'
import { byText, firstOf } from './selection.ts'
import type { Gateway, PresenceState } from './state.ts'

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

/** Every gateway that reports, by pod. */
export function gatewaysOf({ gateways, clockMs }: PresenceState): z.infer<typeof GatewayView>[] {
  return [...gateways.values()]
    .map(({ info, totals, members, rooms, heardAtMs }) => ({
      ...info,
      state: totals.draining ? ('draining' as const) : ('ready' as const),
      connections: totals.connections,
      members,
      rooms,
      ageMs: Math.round(clockMs - heardAtMs),
    }))
    .sort((a, b) => byText(a.pod, b.pod) || byText(a.instance, b.instance))
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
  const isWanted = ({ id, members }: Room<Gateway>): boolean =>
    members.size > 0 && (wanted === '' || id.toLowerCase().includes(wanted))
  let total = 0
  function* matching(): Iterable<Room<Gateway>> {
    for (const room of roster.rooms.values()) {
      if (!isWanted(room)) continue
      total++
      yield room
    }
  }
  const busiest = firstOf(
    matching(),
    limit,
    (a, b) => b.members.size - a.members.size || byText(a.id, b.id),
  )
  return { rooms: busiest.map((room) => roomView(room.id, room)), total }
}

/** One room; one that nobody is in is a room of none. */
export function roomOf({ roster }: PresenceState, room: RoomId): z.infer<typeof RoomView> {
  return roomView(room, roster.rooms.get(room))
}

function roomView(id: RoomId, room: Room<Gateway> | undefined): z.infer<typeof RoomView> {
  return {
    room: id,
    online: room?.members.size ?? 0,
    users: room?.users.size ?? 0,
    gateways: room?.owners.size ?? 0,
  }
}

/** A page of a room's members in the order of their sids. O(members of the room). */
export function membersOf(
  { roster }: PresenceState,
  id: RoomId,
  { limit, after = '' }: z.output<typeof MembersQuery>,
): z.infer<typeof MembersView> {
  const room = roster.rooms.get(id)
  function* following(): Iterable<Claim<Gateway>> {
    for (const member of room?.members.values() ?? []) if (member.sid > after) yield member
  }
  return {
    room: id,
    online: room?.members.size ?? 0,
    members: firstOf(following(), limit, (a, b) => byText(a.sid, b.sid)).map(
      ({ sid, name, since, owner }) => ({ sid, name, since, gateway: owner.info.pod }),
    ),
  }
}
