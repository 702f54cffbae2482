import type { RedisLogEvent } from './availability.ts'

/** What of a pino logger is used here. */
interface Log {
  info(fields: object | string, message?: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** How often at most an error of Redis is logged, in milliseconds: in an outage each request has one. */
const ERROR_INTERVAL_MS = 1_000

/** Logs what Redis goes through: one line when it goes away, one when it is back, and errors at most once a second with their number. */
export function logOutages(log: Log, now: () => number): (event: RedisLogEvent) => void {
  let isAway: boolean | undefined
  let since = 0
  let errors = 0
  let loggedAt = -Infinity
  return (event) => {
    switch (event.kind) {
      case 'available':
        if (isAway === true) log.info({ awayMs: now() - since }, 'Redis is back')
        else if (isAway === undefined) log.info('connected to Redis')
        isAway = false
        return
      case 'unavailable':
        if (isAway === true) return
        isAway = true
        since = now()
        log.error({ err: event.error }, 'Redis is away: appends and reads fail until it is back')
        return
      case 'error':
        errors++
        if (now() - loggedAt < ERROR_INTERVAL_MS) return
        log.warn({ err: event.error, errors }, 'Redis failed')
        errors = 0
        loggedAt = now()
    }
  }
}
