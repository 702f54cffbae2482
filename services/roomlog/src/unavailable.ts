import { LogUnavailable } from './room-log.ts'

/** The promise's value, or `LogUnavailable` that says what was done when the store failed. */
export async function told<T>(doing: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    throw new LogUnavailable(`while ${doing}`, { cause: error })
  }
}
