import type { z } from 'zod'
import { ROOM_ID_MAX_CHARS } from './limits.ts'
import { line } from './text.ts'

/** Which rooms somebody may use: an id in which `*` stands for any characters, none included. */
export const RoomPattern = line('a pattern of rooms', ROOM_ID_MAX_CHARS)
export type RoomPattern = z.infer<typeof RoomPattern>

/** Whether a room's id is as a pattern says. Takes time in proportion to both, whatever the pattern. */
export function matchesRoom(pattern: RoomPattern, room: string): boolean {
  const [start = '', ...parts] = pattern.split('*')
  const end = parts.pop()
  if (end === undefined) return room === pattern
  if (!room.startsWith(start) || room.length < start.length + end.length) return false
  if (!room.endsWith(end)) return false
  // Each part as early as it is found leaves the most to those after it.
  let from = start.length
  for (const part of parts) {
    const found = room.indexOf(part, from)
    if (found === -1) return false
    from = found + part.length
  }
  return from <= room.length - end.length
}
