import { COUNT_INTERVAL_MS, type RoomId } from '@roomcast/protocol'

/**
 * Which rooms' counts are to be told to the gateways in them. A room's first change is due at once; after it was told a room rests for
 * `COUNT_INTERVAL_MS`, and what changed meanwhile is due at the end of that. Holds the rooms that are due or rest, not all.
 */
export class CountFeed {
  readonly #due = new Set<RoomId>()
  /** Rooms told within the interval, oldest first: telling one again moves it to the end. */
  readonly #resting = new Map<
    RoomId,
    { readonly atMs: number; readonly told: number; hasChanged: boolean }
  >()

  /** The room's count may have changed. */
  changed(room: RoomId): void {
    const rest = this.#resting.get(room)
    if (rest === undefined) this.#due.add(room)
    else rest.hasChanged = true
  }

  /**
   * The rooms to tell now. `onlineOf` returns undefined for a room that is no more: nothing is told of it. `now` is in milliseconds
   * and never goes back.
   */
  take(now: number, onlineOf: (room: RoomId) => number | undefined): RoomId[] {
    for (const [room, { atMs, told, hasChanged }] of this.#resting) {
      if (now - atMs < COUNT_INTERVAL_MS) break
      this.#resting.delete(room)
      if (hasChanged && onlineOf(room) !== told) this.#due.add(room)
    }
    const rooms: RoomId[] = []
    for (const room of this.#due) {
      const online = onlineOf(room)
      if (online === undefined) continue
      rooms.push(room)
      this.#resting.set(room, { atMs: now, told: online, hasChanged: false })
    }
    this.#due.clear()
    return rooms
  }
}
