import { setTimeout as delay } from 'node:timers/promises'

/** Waits until `read` gives something other than undefined and false, and returns it; fails after the deadline with what was awaited. */
export async function until<T>(
  what: string,
  read: () => T | Promise<T>,
  deadlineMs = 10_000,
): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const value = await read()
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>
    if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`)
    await delay(5)
  }
}
