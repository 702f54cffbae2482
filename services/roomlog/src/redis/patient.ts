import { connect, type RedisClient } from './connect.ts'

/** How long to wait before a subscription that failed is tried again, in milliseconds. */
const SUBSCRIBE_RETRY_MS = 1_000

type Subscribe = (...channels: string[]) => Promise<unknown>

/**
 * Connects for `@socket.io/redis-adapter`, which expects its commands to wait for the connection and does not look at the outcome of its
 * subscriptions: here they never fail. One that Redis refuses (a wrong password, a user without the right, a slot that moves) is tried
 * again until it is in force, taken back, or the connection is closed for good.
 */
export function connectPatientRedis(url: string, name: string): RedisClient {
  const client = connect(url, name, { isPatient: true })
  // Outages are reported by those whose work stops; without a listener an error would end the process.
  client.on('error', () => undefined)

  const subscribe = client.ssubscribe.bind(client) as Subscribe
  const unsubscribe = client.sunsubscribe.bind(client) as Subscribe
  const wanted = new Set<string>()

  const subscribeForGood = async (channel: string): Promise<void> => {
    try {
      await subscribe(channel)
      // Taken back while it was under way.
      if (!wanted.has(channel)) await unsubscribe(channel)
    } catch {
      if (!wanted.has(channel) || client.status === 'end') return
      setTimeout(() => void subscribeForGood(channel), SUBSCRIBE_RETRY_MS).unref()
    }
  }
  return Object.assign(client, {
    // In a cluster each channel may be of another slot: one by one.
    async ssubscribe(...channels: string[]): Promise<void> {
      for (const channel of channels) wanted.add(channel)
      await Promise.all(channels.map(subscribeForGood))
    },
    async sunsubscribe(...channels: string[]): Promise<void> {
      for (const channel of channels) wanted.delete(channel)
      // One that fails leaves a channel that nobody listens to.
      await unsubscribe(...channels).catch(() => undefined)
    },
  }) as RedisClient
}
