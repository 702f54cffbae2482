import { createHash, timingSafeEqual } from 'node:crypto'

/** What is kept of a secret that callers present: from its SHA-256 nobody gets it back. */
export type Digest = Buffer

export function digestOf(secret: string): Digest {
  return createHash('sha256').update(secret).digest()
}

/**
 * Which of the secrets was presented, as its place in the list; -1 for none. Every one is compared, each in constant time, so that the
 * time tells neither which one was near nor how near it was.
 */
export function indexOfSecret(digests: readonly Digest[], presented: string): number {
  const digest = digestOf(presented)
  let found = -1
  for (const [i, known] of digests.entries()) if (timingSafeEqual(known, digest)) found = i
  return found
}
