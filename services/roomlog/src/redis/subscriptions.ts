import { Cluster } from 'ioredis'
import { told } from '../unavailable.ts'
import type { RedisClient } from './connect.ts'

/** Channels in one SSUBSCRIBE when all are subscribed again: bounds how long one command may occupy Redis. */
const RESUBSCRIBE_CHUNK = 500
/** How often a subscriber asks for a sign of life, in milliseconds: in a quiet room nothing else would tell that Redis vanished. */
const PING_INTERVAL_MS = 2_000
/** How long to wait before an attempt to subscribe again that failed is repeated, in milliseconds. */
const RESUBSCRIBE_RETRY_MS = 500

export interface ChannelListener {
  onMessage(message: Buffer): void
  /** The subscription is in force again after an interruption. */
  onResumed(): void
}

/**
 * Sharded pub/sub subscriptions over one connection (or one per master of a cluster), each channel once however many listen to it.
 * After every interruption all channels are subscribed again; listeners are told when that is confirmed, not when the connection
 * is back: in between messages are lost without a trace.
 */
export interface Subscriptions {
  /** Resolves when the subscription is in force. Rejects with `LogUnavailable`; the listener is then not added. */
  add(channel: string, listener: ChannelListener): Promise<void>
  /**
   * Subscribes to a channel once more: a node of a cluster may drop one while nothing changes that could be seen. Rejects with
   * `LogUnavailable`.
   */
  renew(channel: string): Promise<void>
  remove(channel: string, listener: ChannelListener): void
  close(): Promise<void>
}

interface Channel {
  readonly listeners: Set<ChannelListener>
  /** Settles when the first subscription does. */
  readonly subscribed: Promise<unknown>
}

export function createSubscriptions(
  client: RedisClient,
  onError: (error: unknown) => void,
): Subscriptions {
  const channels = new Map<string, Channel>()
  let isClosed = false
  let retry: NodeJS.Timeout | undefined
  let resuming: Promise<void> | undefined
  let isResumeAsked = false

  client.on('smessageBuffer', (channel: Buffer, message: Buffer) => {
    for (const listener of channels.get(channel.toString())?.listeners ?? [])
      listener.onMessage(message)
  })

  const subscribeAll = async (): Promise<void> => {
    const names = [...channels.keys()]
    if (client instanceof Cluster) {
      // Each channel may be of another slot, and one command takes channels of one slot.
      for (let i = 0; i < names.length; i += RESUBSCRIBE_CHUNK) {
        await Promise.all(
          names.slice(i, i + RESUBSCRIBE_CHUNK).map((name) => client.ssubscribe(name)),
        )
      }
    } else {
      for (let i = 0; i < names.length; i += RESUBSCRIBE_CHUNK) {
        await client.ssubscribe(...names.slice(i, i + RESUBSCRIBE_CHUNK))
      }
    }
    for (const name of names) {
      for (const listener of channels.get(name)?.listeners ?? []) listener.onResumed()
    }
  }

  /** Runs once at a time; an interruption while it runs makes it run once more. */
  const resume = (): void => {
    if (isClosed) return
    isResumeAsked = true
    resuming ??= (async () => {
      while (isResumeAsked && !isClosed) {
        isResumeAsked = false
        await subscribeAll()
      }
    })()
      .catch((error: unknown) => {
        if (isClosed) return
        onError(error)
        clearTimeout(retry)
        retry = setTimeout(resume, RESUBSCRIBE_RETRY_MS)
      })
      .finally(() => (resuming = undefined))
  }
  if (client instanceof Cluster) {
    for (const event of ['ready', 'subscribersReady', '+subscriber', '+node'])
      client.on(event, resume)
  } else {
    client.on('ready', resume)
  }

  // A Cluster's subscribers can not be asked from here; there the comparison of heads finds what was missed.
  const ping = setInterval(() => {
    if (client instanceof Cluster || client.status !== 'ready') return
    // A failure shows as the end of the connection.
    client.ping().catch(() => undefined)
  }, PING_INTERVAL_MS)
  ping.unref()

  return {
    async add(name, listener) {
      const existing = channels.get(name)
      if (existing !== undefined) {
        existing.listeners.add(listener)
        await told('subscribing', existing.subscribed)
        return
      }
      const channel = { listeners: new Set([listener]), subscribed: client.ssubscribe(name) }
      channels.set(name, channel)
      try {
        await told('subscribing', channel.subscribed)
      } catch (error) {
        if (channels.get(name) === channel) channels.delete(name)
        throw error
      }
    },

    async renew(name) {
      if (isClosed || !channels.has(name)) return
      await told('subscribing again', client.ssubscribe(name))
    },

    remove(name, listener) {
      const channel = channels.get(name)
      if (
        channel === undefined ||
        !channel.listeners.delete(listener) ||
        channel.listeners.size > 0
      )
        return
      channels.delete(name)
      if (isClosed) return
      // A channel that stays subscribed by a failure here costs a few messages that nobody listens to.
      client.sunsubscribe(name).catch(onError)
    },

    async close() {
      isClosed = true
      clearInterval(ping)
      clearTimeout(retry)
      channels.clear()
      await resuming
    },
  }
}
