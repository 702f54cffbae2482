import type { ErrorCode } from '@roomcast/protocol'

/** A message that was refused, and said again. */
export interface RefusedSay {
  readonly code: ErrorCode
  readonly message: string
  /** When, in milliseconds since 1970. */
  readonly at: number
}

/** Refusals of one code for one reason. */
export interface RefusalCount {
  readonly code: ErrorCode
  readonly message: string
  readonly count: number
  /** The first and the last of them, in milliseconds since 1970. */
  readonly firstAt: number
  readonly lastAt: number
}

/** Refusals by code and message, the most frequent first. */
export function countRefusals(refusals: readonly RefusedSay[]): readonly RefusalCount[] {
  const groups = Map.groupBy(refusals, ({ code, message }) => `${code} ${message}`)
  return [...groups.values()]
    .flatMap((group) => {
      const [first] = group
      if (first === undefined) return []
      const times = group.map(({ at }) => at)
      return [
        {
          code: first.code,
          message: first.message,
          count: group.length,
          firstAt: times.reduce((a, b) => Math.min(a, b)),
          lastAt: times.reduce((a, b) => Math.max(a, b)),
        },
      ]
    })
    .sort((a, b) => b.count - a.count)
}

/** The number of refusals by code, in words; empty without any. */
export function codesOf(refusals: readonly RefusedSay[]): string {
  return [...Map.groupBy(refusals, ({ code }) => code)]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([code, group]) => `${code} ${group.length}`)
    .join(', ')
}
