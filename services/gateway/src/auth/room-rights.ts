import { matchesRoom, type RoomId } from '@roomcast/protocol'

/** What a token says of the rooms whose ids fit a pattern. */
export interface RoomRule {
  /** An id in which each `*` stands for any characters, or none. */
  readonly pattern: string
  readonly read: boolean
  readonly write: boolean
}

export interface RoomRights {
  mayRead(room: RoomId): boolean
  mayWrite(room: RoomId): boolean
}

/** A token that names no rooms. */
export const EVERY_ROOM: RoomRights = { mayRead: () => true, mayWrite: () => true }

/** What rules give together: a right that one of them gives is given. A room that fits none of them has none. */
export function rightsOf(rules: readonly RoomRule[]): RoomRights {
  const may = (right: 'read' | 'write') => {
    // A socket is asked about one room, for each message of it.
    let last: RoomId | undefined
    let answer = false
    return (room: RoomId): boolean => {
      if (room === last) return answer
      last = room
      answer = rules.some((rule) => rule[right] && matchesRoom(rule.pattern, room))
      return answer
    }
  }
  return { mayRead: may('read'), mayWrite: may('write') }
}
