import { keyHeaders } from './key.js'

/** How long nothing may be typed before it is searched for, in milliseconds. */
const TYPING_MS = 200
/** How often what was found is looked at again, in milliseconds. */
const AGAIN_MS = 2_000
const FOUND_MAX = 50

/**
 * Rooms whose name contains what is in the field, kept as fresh as the rest of the page. `onFound(result)` gets `{search, rooms, total}`, the
 * one before with `hasFailed` when there is no answer, and undefined when the field is empty.
 */
export function createRoomSearch(field, { onFound }) {
  let timer
  let turn = 0
  let last

  async function look() {
    clearTimeout(timer)
    const mine = ++turn
    const search = field.value.trim()
    if (search === '') {
      last = undefined
      onFound(undefined)
      return
    }
    const query = new URLSearchParams({ search, limit: FOUND_MAX })
    let found
    try {
      const response = await fetch(`/v1/rooms?${query}`, {
        headers: keyHeaders(),
        cache: 'no-store',
      })
      if (!response.ok) throw new Error(`answered ${response.status}`)
      found = { search, hasFailed: false, ...(await response.json()) }
    } catch {
      found = { rooms: [], total: 0, ...last, search, hasFailed: true }
    }
    if (mine !== turn) return
    last = found
    onFound(found)
    timer = setTimeout(() => void look(), AGAIN_MS)
  }

  field.addEventListener('input', () => {
    turn++
    clearTimeout(timer)
    timer = setTimeout(() => void look(), TYPING_MS)
  })
  // A browser that comes back to the page may fill the field in again.
  if (field.value !== '') void look()
}
