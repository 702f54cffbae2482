/** What the page remembers. Storage may be forbidden or full: then it just doesn't. */

const REMEMBERED = 'roomcast.last'
const ENTERED = 'roomcast.entered'

/** Room and name of the last visit, for the form. */
export function rememberVisit(visit) {
  write(() => localStorage, REMEMBERED, visit)
}
export function lastVisit() {
  return read(() => localStorage, REMEMBERED)
}

/** Where this tab is, so that a reload comes back into the room. */
export function markEntered(visit) {
  write(() => sessionStorage, ENTERED, visit)
}
export function entered() {
  return read(() => sessionStorage, ENTERED)
}

function read(storage, key) {
  try {
    const value = JSON.parse(storage().getItem(key))
    return typeof value?.room === 'string' && typeof value?.name === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function write(storage, key, value) {
  try {
    if (value === undefined) storage().removeItem(key)
    else storage().setItem(key, JSON.stringify(value))
  } catch {
    // Not remembered.
  }
}
