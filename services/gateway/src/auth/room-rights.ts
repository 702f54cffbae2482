import type { RoomId } from '@roomcast/protocol'

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
      answer = rules.some((rule) => rule[right] && fits(room, rule.pattern))
      return answer
    }
  }
  return { mayRead: may('read'), mayWrite: may('write') }
}

/**
 * Whether all of the text fits the pattern. The parts between the stars are looked for from left to right, each where it comes first, so
 * nothing is tried twice: patterns come from outside and must not cost more than their length.
 */
export function fits(text: string, pattern: string): boolean {
  const parts = pattern.split('*')
  const [first = '', ...rest] = parts
  const last = rest.pop()
  if (last === undefined) return text === pattern
  if (!text.startsWith(first)) return false
  const end = text.length - last.length
  let at = first.length
  for (const part of rest) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return at <= end && text.endsWith(last)
}
