import type { Log, Telemetry } from '@roomcast/runtime'

export const HOOKS = ['join', 'say'] as const
export type Hook = (typeof HOOKS)[number]

/** Why there is no answer that can be used. */
export const HOOK_FAILURES = [
  'timeout',
  /** No connection, or a status other than 200. */
  'failed',
  /** An answer that is none of the protocol's, or too large. */
  'invalid',
  /** Too many wait already. */
  'busy',
  /** It failed so often that it is left alone for a while. */
  'rested',
] as const
export type HookFailure = (typeof HOOK_FAILURES)[number]

export type HookResult = 'allowed' | 'rewritten' | 'denied' | HookFailure

/** From a millisecond to ten seconds. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface HookFacts {
  /** One question came to its end. `durationMs` is undefined for those that were not sent. */
  asked(hook: Hook, result: HookResult, durationMs: number | undefined): void
  /** What was wrong with a backend. */
  failed(hook: Hook, error: unknown): void
  /** A backend is not asked for a while, or is asked again. */
  rests(hook: Hook, isResting: boolean): void
}

export function createHookFacts({
  telemetry: { meter },
  hooks,
  log,
}: {
  readonly telemetry: Telemetry
  /** Those that are asked. */
  readonly hooks: readonly Hook[]
  readonly log: Log
}): HookFacts {
  const requests = meter.createCounter('roomcast_gateway_hook_requests', {
    description: 'Joins and messages that the backend was to be asked about, by the result.',
  })
  const duration = meter.createHistogram('roomcast_gateway_hook_duration_seconds', {
    description: 'How long the backend took to answer, or until it was given up.',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  })
  for (const hook of hooks)
    for (const result of ['allowed', 'rewritten', 'denied', ...HOOK_FAILURES] as const)
      requests.add(0, { hook, result })
  return {
    asked(hook, result, durationMs) {
      requests.add(1, { hook, result })
      if (durationMs !== undefined) duration.record(durationMs / 1_000, { hook })
    },
    failed: (hook, error) => log.debug({ hook, err: error }, 'the backend could not be asked'),
    rests(hook, isResting) {
      if (isResting) log.warn({ hook }, 'the backend fails, and is not asked for a while')
      else log.info({ hook }, 'the backend answers again')
    },
  }
}
