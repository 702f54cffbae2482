import { createHash, timingSafeEqual } from 'node:crypto'

/** Something is wrong with a text that should have keys or tokens. Its message repeats none of them. */
export class SecretsFault extends Error {
  override readonly name = 'SecretsFault'
}

/** The secrets of a text, one a line, without empty lines. `noun` is what one is called. Throws `SecretsFault` for none, and for more than `max`. */
export function secretLines(text: string, noun: string, max: number): readonly string[] {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (lines.length === 0) throw new SecretsFault(`must have at least one ${noun}`)
  if (lines.length > max) throw new SecretsFault(`must have at most ${max} ${noun}s`)
  return lines
}

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
