import type { RedisClient } from './connect.ts'

export type RedisLogEvent =
  | { readonly kind: 'available' }
  | { readonly kind: 'unavailable'; readonly error: unknown }
  | { readonly kind: 'error'; readonly error: unknown }

/**
 * Tells when all connections are there and when one is not, once each, the first failure to connect included; and each new error in
 * between, so that an outage whose cause changes (refused, then a wrong password) can be understood.
 */
export function watchConnections(
  clients: readonly RedisClient[],
  onEvent: (event: RedisLogEvent) => void,
): { isAvailable(): boolean; stop(): void } {
  const up = new Set<RedisClient>()
  let told: 'nothing' | 'available' | 'unavailable' = 'nothing'
  let lastError: unknown
  let isStopped = false

  for (const client of clients) {
    const down = (): void => {
      up.delete(client)
      if (isStopped || told === 'unavailable') return
      told = 'unavailable'
      onEvent({ kind: 'unavailable', error: lastError })
    }
    client.on('ready', () => {
      up.add(client)
      if (isStopped || up.size < clients.length || told === 'available') return
      told = 'available'
      lastError = undefined
      onEvent({ kind: 'available' })
    })
    client.on('close', down)
    client.on('end', down)
    const note = (error: unknown): void => {
      const isNew = String(error) !== String(lastError)
      lastError = error
      if (isNew && told === 'unavailable' && !isStopped) onEvent({ kind: 'error', error })
    }
    client.on('error', note)
    client.on('node error', note)
  }
  return {
    isAvailable: () => up.size === clients.length,
    stop: () => (isStopped = true),
  }
}
