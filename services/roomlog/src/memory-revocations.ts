import {
  REVOCATIONS_MAX,
  type Revocation,
  type RevocationFollower,
  type Revocations,
} from './revocations.ts'

/** Revocations in the memory of one process; the reference for what every store does. */
export function createMemoryRevocations(ttlMs: number, now: () => number): Revocations {
  /** The latest last. */
  const kept = new Map<string, Revocation>()
  const followers = new Set<RevocationFollower>()
  const sweep = (): void => {
    for (const [user, { at }] of kept) {
      if (at + ttlMs > now()) return
      kept.delete(user)
    }
  }

  return {
    async add(user, { revokesTokens, reason }) {
      sweep()
      const earlier = kept.get(user)
      if (earlier === undefined && kept.size >= REVOCATIONS_MAX) return undefined
      const at = now()
      const revocation = {
        user,
        at,
        tokensBefore: revokesTokens ? at : (earlier?.tokensBefore ?? 0),
        ...(reason === undefined ? {} : { reason }),
      }
      kept.delete(user)
      kept.set(user, revocation)
      for (const follower of followers) queueMicrotask(() => follower.onRevoked(revocation))
      return revocation
    },
    async list() {
      sweep()
      return [...kept.values()]
    },
    async follow(follower) {
      followers.add(follower)
      return { renew: async () => undefined, stop: () => void followers.delete(follower) }
    },
  }
}
