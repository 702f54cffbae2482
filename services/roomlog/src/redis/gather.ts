import type { Writable } from 'node:stream'
import { Cluster, type Redis } from 'ioredis'
import type { RedisClient } from './connect.ts'

/**
 * Sends the commands of one turn of the event loop by one system call: ioredis makes one for each, which costs more than the command.
 * On a Cluster the same for each of its nodes. Their order stays.
 */
export function gatherWrites(client: RedisClient): void {
  if (client instanceof Cluster) client.on('+node', gatherOf)
  else gatherOf(client)
}

function gatherOf(redis: Redis): void {
  redis.on('connect', () => {
    // ioredis knows it as a protected part; test/integration/redis-writes.test.ts fails when it is no longer there.
    const { stream } = redis as unknown as { readonly stream: Writable }
    const write = stream.write.bind(stream)
    let isGathering = false
    const send = (): void => {
      isGathering = false
      stream.uncork()
    }
    stream.write = ((...args: Parameters<typeof write>) => {
      if (!isGathering) {
        isGathering = true
        stream.cork()
        setImmediate(send)
      }
      return write(...args)
    }) as typeof stream.write
  })
}
