/** What this package asks of Redis, as it is measured: whole calls, whatever commands they are made of. */
export const REDIS_COMMANDS = [
  'append',
  'read',
  'heads',
  'subscribe',
  'moderate',
  'session',
] as const
export type RedisCommand = (typeof REDIS_COMMANDS)[number]

/** Told of each call when it is over: how long it took, and whether all of it was answered without an error. */
export type OnRedisCommand = (
  command: RedisCommand,
  durationMs: number,
  isAnswered: boolean,
) => void

/** Runs a call and tells how it went. */
export async function timed<T>(
  command: RedisCommand,
  onCommand: OnRedisCommand,
  call: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  let isAnswered = false
  try {
    const answer = await call()
    isAnswered = true
    return answer
  } finally {
    onCommand(command, performance.now() - started, isAnswered)
  }
}
