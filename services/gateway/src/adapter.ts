import { createShardedAdapter } from '@socket.io/redis-adapter'
import type { RedisClient } from '@roomcast/roomlog'
import type { Namespace } from 'socket.io'
import { Adapter, type BroadcastOptions, type Session } from 'socket.io-adapter'
import type { Recovery } from './recovery.ts'
import { localPacket } from './engine/packets.ts'

/** Two connections for cluster operations between gateways. */
export interface ClusterConnections {
  readonly publisher: RedisClient
  readonly subscriber: RedisClient
}

/**
 * The adapter of each namespace: the sharded Redis adapter for cluster operations on the main one, when there is Redis, and Socket.IO's
 * in-memory one otherwise; over both, recovery from the room log.
 */
export function chooseAdapter({
  channelPrefix,
  cluster,
  recovery,
}: {
  readonly channelPrefix: string
  readonly cluster: ClusterConnections | undefined
  readonly recovery: Recovery
}): typeof Adapter {
  const sharded =
    cluster === undefined
      ? undefined
      : (createShardedAdapter(cluster.publisher, cluster.subscriber, {
          channelPrefix,
          // Two channels in all: messages do not go through this adapter, so it needs none for each room.
          subscriptionMode: 'static',
        }) as (namespace: Namespace) => Adapter)
  // Socket.IO calls it with `new`: it must be a function, not an arrow.
  return function chooseByNamespace(namespace: Namespace): Adapter {
    const adapter =
      namespace.name === '/' && sharded !== undefined ? sharded(namespace) : new Adapter(namespace)
    return withRecovery(adapter, recovery)
  } as unknown as typeof Adapter
}

/**
 * Makes an adapter restore sessions from the room log, and keeps what Socket.IO does for its own recovery from getting in the way: with
 * recovery on it sends each `socket.emit` through `broadcast`, which a cluster adapter would publish and give an offset of its own.
 */
function withRecovery(adapter: Adapter, recovery: Recovery): Adapter {
  const broadcast = adapter.broadcast.bind(adapter)
  return Object.assign(adapter, {
    broadcast(packet: Parameters<typeof broadcast>[0], options: BroadcastOptions): void {
      const socket = soleReceiver(adapter, options)
      if (socket === undefined) broadcast(packet, options)
      else localPacket(socket, packet, options.flags ?? {})
    },
    addOffsetIfNecessary: () => undefined,
    // Sessions are written when a member joins: there is nothing to save when a connection ends.
    persistSession: () => undefined,
    restoreSession: (pid: string, offset: string): Promise<Session> =>
      recovery.restore(adapter.nsp as Namespace, pid, offset) as Promise<Session>,
  })
}

/** The one local socket that a packet is for, if it is for one. */
function soleReceiver(adapter: Adapter, { rooms, except }: BroadcastOptions): object | undefined {
  if (rooms.size !== 1 || (except !== undefined && except.size > 0)) return undefined
  const [sid] = rooms
  return sid === undefined ? undefined : (adapter.nsp as Namespace).sockets.get(sid)
}
