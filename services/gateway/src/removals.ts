import type { Removal } from '@roomcast/protocol'

/** Users of one room whose latest removal is remembered here: those who join or recover right now are looked for among them. */
const REMEMBERED_MAX = 1_000

/** The removals that a room's feed has told of since the room was opened here, the latest. */
export interface Removals {
  /** Grows with each removal. */
  turn(): number
  note(removal: Removal): void
  /** A removal of this user that came after `turn` was looked at. */
  since(turn: number, user: string): Removal | undefined
}

export function createRemovals(): Removals {
  const latest = new Map<string, { readonly turn: number; readonly removal: Removal }>()
  let turns = 0
  return {
    turn: () => turns,
    note(removal) {
      latest.delete(removal.user)
      latest.set(removal.user, { turn: ++turns, removal })
      const [oldest] = latest.keys()
      if (latest.size > REMEMBERED_MAX && oldest !== undefined) latest.delete(oldest)
    },
    since(turn, user) {
      const found = latest.get(user)
      return found !== undefined && found.turn > turn ? found.removal : undefined
    },
  }
}
