import { setTimeout as delay } from 'node:timers/promises'

/**
 * Runs a task again and again, never two at a time: at once, and then `waitMs()` milliseconds after it ended. A task that throws goes
 * to `failed`, and the next is due as ever. `close` lets a running one end, which the task bounds, and is idempotent.
 */
export function repeat(
  waitMs: () => number,
  task: (signal: AbortSignal) => unknown,
  failed: (error: unknown) => void,
): { close(): Promise<void> } {
  const ending = new AbortController()
  const { signal } = ending
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await task(signal)
      } catch (error) {
        if (!signal.aborted) failed(error)
      }
      await pause(waitMs(), signal)
    }
  }
  const running = run()
  return {
    close: () => {
      ending.abort()
      return running
    },
  }
}

/** Waits, or returns at once when the signal comes. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // The one error there is: that it was cut short.
  await delay(ms, undefined, { signal }).catch(() => undefined)
}
