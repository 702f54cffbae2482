import type { z } from 'zod'
import { ROOM_ID_MAX_CHARS } from './limits.ts'
import { line } from './text.ts'

/** The id of a room, normalised: 1 to 128 characters, NFC, no control characters, not `.` or `..` (which URL parsers swallow). */
export const RoomId = line('a room id', ROOM_ID_MAX_CHARS)
  .refine((id) => id !== '.' && id !== '..', { error: 'a room id must not be "." or ".."' })
  .brand<'RoomId'>()
export type RoomId = z.infer<typeof RoomId>

/** Every namespace that stands for a room begins so. */
export const ROOM_NAMESPACE_PREFIX = '/rooms/'

/** The Socket.IO namespace of a room: a raw `,` or `?` in a namespace never connects, so the id is percent-encoded. */
export function roomNamespace(room: RoomId): string {
  return ROOM_NAMESPACE_PREFIX + encodeURIComponent(room)
}

/** The room that a namespace names, or what is wrong with it. */
export function roomOfNamespace(
  namespace: string,
): { room: RoomId } | { room?: never; message: string } {
  const encoded = namespace.slice(ROOM_NAMESPACE_PREFIX.length)
  let decoded: string
  try {
    decoded = decodeURIComponent(encoded)
  } catch {
    return {
      message: 'the namespace must be /rooms/ and a room id encoded as by encodeURIComponent',
    }
  }
  return parseRoomId(decoded)
}

/** A room id from outside, or what is wrong with it. */
export function parseRoomId(value: unknown): { room: RoomId } | { room?: never; message: string } {
  const parsed = RoomId.safeParse(value)
  return parsed.success
    ? { room: parsed.data }
    : { message: parsed.error.issues[0]?.message ?? 'not a room id' }
}
