/** The protocol's limits, as in services/protocol/src/limits.ts, and what a person types measured against them. */

export const ROOM_ID_MAX_CHARS = 128
export const NAME_MAX_CHARS = 64
/** The server's default. Where an operator sets less, the server refuses with its own words. */
export const TEXT_MAX_BYTES = 4096
export const HISTORY_LIMIT_MAX = 200

const CONTROL = /\p{Cc}/u
const utf8 = new TextEncoder()

/** Length in bytes as UTF-8. */
export function utf8Length(text) {
  return utf8.encode(text).length
}

/** One line as the server would read it, and the key of the words for what is wrong with it. */
function parseLine(raw, maxChars, fault) {
  const value = wellFormed(raw).trim().normalize('NFC')
  const length = [...value].length
  if (length === 0) return { fault: `${fault}Missing` }
  if (length > maxChars) return { fault: `${fault}Long`, values: { max: maxChars, length } }
  if (CONTROL.test(value)) return { fault: `${fault}Control` }
  return { value }
}

export function parseRoom(raw) {
  const parsed = parseLine(raw, ROOM_ID_MAX_CHARS, 'room')
  return parsed.value === '.' || parsed.value === '..' ? { fault: 'roomDots' } : parsed
}

export function parseName(raw) {
  return parseLine(raw, NAME_MAX_CHARS, 'name')
}

/** Without halves of surrogate pairs, which no encoder accepts. */
export function wellFormed(text) {
  return text.toWellFormed?.() ?? text.replace(/\p{Cs}/gu, '\uFFFD')
}
