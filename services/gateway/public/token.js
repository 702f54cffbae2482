/**
 * The token that this tab presents, if it was given one: by the fragment of the address (`#token=…`), which browsers send to nobody, or by
 * the form. Kept for as long as the tab, and never in the address.
 */

const KEPT = 'roomcast.token'
let token = read()

export function currentToken() {
  return token
}

export function keepToken(given) {
  token = given || undefined
  try {
    if (token === undefined) sessionStorage.removeItem(KEPT)
    else sessionStorage.setItem(KEPT, token)
  } catch {
    // Not kept: a reload asks for it again.
  }
}

const inAddress = () => new URLSearchParams(location.hash.slice(1)).get('token')

export function hasTokenInAddress() {
  return Boolean(inAddress())
}

/** Takes the token out of the address. Returns whether there was one. */
export function takeToken() {
  const given = inAddress()
  if (!given) return false
  keepToken(given)
  window.history.replaceState(window.history.state, '', location.pathname + location.search)
  return true
}

/** The name that the token fixes, for the form; the server alone can tell whether it is a good one. */
export function nameInToken() {
  try {
    const [, payload] = token.split('.')
    const bytes = atob(payload.replaceAll('-', '+').replaceAll('_', '/'))
    const text = new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.codePointAt(0)))
    const { name } = JSON.parse(text)
    return typeof name === 'string' ? name : undefined
  } catch {
    // There is none, or it is not a token.
    return undefined
  }
}

function read() {
  try {
    return sessionStorage.getItem(KEPT) ?? undefined
  } catch {
    return undefined
  }
}
