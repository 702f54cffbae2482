import type { Cursor } from './cursor.ts'

/** What the latest messages of a room said to whoever got them first, so that all others can be compared. */
export interface Truth {
  /** False when somebody else was told otherwise in this place. One who is further behind than is kept can not be compared. */
  agrees(cursor: Cursor, text: string): boolean
}

/** Messages that are kept of each room. */
const KEPT = 64

export function createTruth(): Truth {
  const kept: { cursor: Cursor; text: string }[] = []
  return {
    agrees(cursor, text) {
      const place = cursor.seq % KEPT
      const known = kept[place]
      if (known !== undefined && known.cursor.epoch === cursor.epoch) {
        if (known.cursor.seq === cursor.seq) return known.text === text
        if (known.cursor.seq > cursor.seq) return true
      }
      kept[place] = { cursor, text }
      return true
    },
  }
}
