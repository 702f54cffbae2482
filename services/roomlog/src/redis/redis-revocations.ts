import { REVOCATIONS_MAX, type Revocation, type Revocations } from '../revocations.ts'
import { told } from '../unavailable.ts'
import type { RedisClient } from './connect.ts'
import { readScript } from './script.ts'
import type { Subscriptions } from './subscriptions.ts'

/** Revocations in Redis: all in one slot, with a channel that tells of new ones. */
export function createRedisRevocations(
  client: RedisClient,
  subscriptions: Subscriptions,
  { keyPrefix, ttlMs }: { keyPrefix: string; ttlMs: number },
): Revocations {
  client.defineCommand('roomrevoke', { lua: readScript('revoke'), numberOfKeys: 2 })
  const scripts = client as RedisClient & {
    roomrevoke(...args: (string | number)[]): Promise<string[]>
  }
  const base = `${keyPrefix}:{revocations}`
  const channel = `${base}:live`
  const run = (...args: (string | number)[]): Promise<string[]> =>
    scripts.roomrevoke(`${base}:users`, `${base}:values`, ttlMs, ...args)

  return {
    async add(user, { revokesTokens, reason = '' }) {
      const revoke = revokesTokens ? '1' : '0'
      const [at, value] = await told(
        'revoking',
        run('add', user, revoke, reason, REVOCATIONS_MAX, channel),
      )
      return at === undefined ? undefined : parse(user, at, value)
    },
    async list() {
      const found = await told('listing revocations', run('list'))
      return Array.from({ length: found.length / 3 }, (_, i) =>
        parse(found[3 * i] ?? '', found[3 * i + 1], found[3 * i + 2]),
      )
    },
    async follow(follower) {
      const listener = {
        onMessage(message: Buffer) {
          // Whatever another version may tell in another way is found by reading the list.
          const [, at, value, user] = /^(\d+) (.*)\n(.*)$/.exec(message.toString()) ?? []
          if (user === undefined) follower.onResumed()
          else follower.onRevoked(parse(user, at, value))
        },
        onResumed: () => follower.onResumed(),
      }
      await subscriptions.add(channel, listener)
      return {
        renew: () => subscriptions.renew(channel),
        stop: () => subscriptions.remove(channel, listener),
      }
    },
  }
}

function parse(user: string, at = '0', value = '0 '): Revocation {
  const [tokensBefore = '0'] = value.split(' ', 1)
  const reason = value.slice(tokensBefore.length + 1)
  return {
    user,
    at: Number(at),
    tokensBefore: Number(tokensBefore),
    ...(reason === '' ? {} : { reason }),
  }
}
