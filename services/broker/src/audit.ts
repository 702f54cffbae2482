import { ClientError, type ErrorCode } from '@roomcast/protocol'
import { LogUnavailable } from '@roomcast/roomlog'
import type { Log, Telemetry } from '@roomcast/runtime'

export const ACTIONS = ['kick', 'ban', 'unban', 'delete', 'clear', 'disconnect'] as const
export type Action = (typeof ACTIONS)[number]

/** What a moderator asked for. No field is longer than the protocol allows. */
export interface Asked {
  readonly action: Action
  /** Id of the key with which it was asked; `open` where none is needed. */
  readonly by: string
  readonly room?: string
  /** Whom it concerns. */
  readonly user?: string
  /** The message: its offset, or its sender's id for it. */
  readonly message?: string
  readonly reason?: string | undefined
  /** Until when a ban lasts, in milliseconds since 1970. */
  readonly until?: number | undefined
}

export interface Audit {
  /** Does what was asked and records it with what became of it. Rejects as `run` does. */
  record<T>(asked: Asked, run: () => Promise<T>): Promise<T>
}

/**
 * One log line for each thing that a moderator asked for and was allowed to ask, whatever became of it: `msg` is `audit`, and `audit` has
 * what was asked and its `result`, `done` or the code of the refusal. It is written whatever the level of the log is. The fields are part
 * of what docs/moderation.md promises.
 */
export function createAudit({
  log,
  telemetry: { meter },
}: {
  readonly log: Log
  readonly telemetry: Telemetry
}): Audit {
  const lines = log.child({}, { level: 'info' })
  const moderations = meter.createCounter('roomcast_broker_moderations', {
    description: 'Acts of moderators that were asked for, by what became of them.',
  })
  // An alert on the first refusal needs a number before it.
  for (const action of ACTIONS) moderations.add(0, { action, result: 'done' })

  return {
    async record(asked, run) {
      let result: 'done' | ErrorCode = 'done'
      try {
        return await run()
      } catch (error) {
        result = codeOf(error)
        throw error
      } finally {
        moderations.add(1, { action: asked.action, result })
        lines.info({ audit: { v: 1, ...asked, result } }, 'audit')
      }
    },
  }
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof ClientError) return error.code
  return error instanceof LogUnavailable ? 'unavailable' : 'internal'
}
