import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'

/** Bytes of a key set: hundreds of keys. */
const KEY_SET_MAX_BYTES = 262_144

/** The key of a token is not known, and can not be asked for right now: the token can not be judged, neither way. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

/** The public keys of a JSON Web Key Set, read when they are needed. */
export interface KeySet {
  /** The key that a token's header names. Rejects with `KeysUnavailable`, or as jose does when there is no such key. */
  readonly keyFor: JWTVerifyGetKey
  /** Whether it was ever read. */
  isRead(): boolean
  close(): void
}

/**
 * Reads the set at once, and after that at most once in `cooldownMs`: when its keys are older than `cacheMs`, or a token names one that is
 * not among them. While it can not be read the known keys go on; a token with an unknown key waits for the next time that it may be
 * asked for, since the key may be a new one.
 */
export function createKeySet({
  url,
  cacheMs,
  cooldownMs,
  timeoutMs,
  now,
  onRead,
}: {
  readonly url: URL
  readonly cacheMs: number
  readonly cooldownMs: number
  readonly timeoutMs: number
  /** Never goes back. In milliseconds. */
  readonly now: () => number
  /** After each attempt, with what went wrong. */
  readonly onRead: (error?: unknown) => void
}): KeySet {
  // When to read is decided here: jose would ask a server that is away anew for each token.
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: timeoutMs,
    cooldownDuration: Infinity,
    cacheMaxAge: Infinity,
    [customFetch]: async (address, options) => {
      const answer = await fetch(address, options)
      return new Response(answer.body?.pipeThrough(atMost(KEY_SET_MAX_BYTES)) ?? null, answer)
    },
  })
  let triedAt = -Infinity
  let readAt = -Infinity
  let reads = 0
  let reading: Promise<void> | undefined

  const attempt = async (): Promise<void> => {
    triedAt = now()
    try {
      await remote.reload()
      readAt = now()
      reads++
      clearInterval(firstAttempts)
      onRead()
    } catch (error) {
      onRead(error)
    } finally {
      reading = undefined
    }
  }
  const mayRead = (): boolean => reading !== undefined || now() - triedAt >= cooldownMs
  const read = (): Promise<void> => (reading ??= attempt())

  const firstAttempts = setInterval(() => void read(), cooldownMs)
  firstAttempts.unref()
  void read()

  return {
    async keyFor(header, token) {
      const before = reads
      if (now() - readAt >= cacheMs && mayRead()) await read()
      if (reads === 0) throw new KeysUnavailable('the key set was not read yet')
      try {
        return await remote(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        if (reads === before && mayRead()) await read()
        if (reads === before)
          throw new KeysUnavailable('the key set can not be read again yet', { cause: error })
        return remote(header, token)
      }
    },
    isRead: () => reads > 0,
    close: () => clearInterval(firstAttempts),
  }
}

/** Passes so many bytes on, and fails when there are more. */
function atMost(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let left = maxBytes
  return new TransformStream({
    transform(chunk, controller) {
      left -= chunk.length
      if (left < 0) controller.error(new Error(`the key set has over ${maxBytes} bytes`))
      else controller.enqueue(chunk)
    },
  })
}
