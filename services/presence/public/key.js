/** The API key, for as long as the tab lives. Storage may be forbidden: then it is asked for again after a reload. */

const STORED = 'roomcast.key'
let key = read()

/** Headers with which the page asks for data. */
export function keyHeaders() {
  return key === undefined ? {} : { authorization: `Bearer ${key}` }
}

export function hasKey() {
  return key !== undefined
}

export function setKey(value) {
  key = value
  try {
    if (value === undefined) sessionStorage.removeItem(STORED)
    else sessionStorage.setItem(STORED, value)
  } catch {
    // Not kept.
  }
}

function read() {
  try {
    return sessionStorage.getItem(STORED) ?? undefined
  } catch {
    return undefined
  }
}
