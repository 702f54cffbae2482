import { ClientError } from '@roomcast/protocol'

export type HeldKind = 'stream' | 'poll'

/** The requests that are held open, event streams and waiting polls: bounded in number, and ended together. */
export interface HeldRequests {
  count(kind: HeldKind): number
  /**
   * Counts a request as held until the returned function is called, which may be done twice. `end` is called when the service ends.
   * Throws `busy` when there are too many, `unavailable` when the service ends.
   */
  hold(kind: HeldKind, end: () => void): () => void
  /** Ends all of them, and refuses every new one. */
  endAll(): void
}

export function createHeldRequests(max: number): HeldRequests {
  const ends = { stream: new Set<() => void>(), poll: new Set<() => void>() }
  let isEnding = false
  return {
    count: (kind) => ends[kind].size,
    hold(kind, end) {
      if (isEnding) throw new ClientError('unavailable', 'this server ends: ask again')
      if (ends.stream.size + ends.poll.size >= max) {
        throw new ClientError(
          'busy',
          `${max} streams and waiting polls are open, which is the limit`,
        )
      }
      // A function of its own, so that the same `end` may stand for two requests.
      const own = (): void => end()
      ends[kind].add(own)
      return () => void ends[kind].delete(own)
    },
    endAll() {
      isEnding = true
      for (const end of [...ends.stream, ...ends.poll]) end()
    },
  }
}
