import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Whether two secrets are equal, in a time that tells nothing about them. */
export function isSameSecret(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

/** Whether an address is of the loopback interface, also in IPv6 form. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  const v4 = address.startsWith('::ffff:') ? address.slice(7) : address
  return v4.startsWith('127.') || address === '::1'
}

/** Whether a caller may use internal endpoints: by the token when there is one, else from this machine alone. */
export function isInternalCaller(
  token: string | undefined,
  caller: { address: string | undefined; token: string | undefined },
): boolean {
  return token === undefined
    ? isLoopback(caller.address)
    : caller.token !== undefined && isSameSecret(caller.token, token)
}

/** A name for the key that an `Authorization` header presents, when it is one of these: the same each time, and not the key. */
export function keyName(
  keys: readonly string[],
  authorization: string | undefined,
): string | undefined {
  return authorization !== undefined && hasKey(keys, authorization)
    ? digest(authorization).toString('base64url')
    : undefined
}

/** Whether an `Authorization` header presents one of the keys. */
export function hasKey(keys: readonly string[], authorization: string | undefined): boolean {
  const presented = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (presented === undefined) return false
  // Every key is compared, so that the time does not tell which one was near.
  return keys.map((key) => isSameSecret(key, presented)).includes(true)
}
