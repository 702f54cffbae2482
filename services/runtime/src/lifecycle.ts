import { StartError } from './health.ts'
import type { Log } from './log.ts'
import { SettingsError } from './settings.ts'
import { isMeasured } from './telemetry.ts'

/** BSD's `EX_CONFIG`: the configuration is at fault, starting again will not help. */
const EXIT_CONFIG = 78

/** A running service. `close()` ends it in order; calling it again returns the same promise. */
export interface Service {
  close(): Promise<void>
}

export interface Started extends Service {
  readonly log: Log
  /** How long `close()` may take, in milliseconds. */
  readonly shutdownTimeoutMs: number
}

/**
 * Runs a service as this process: SIGTERM or SIGINT ends it in order (status 0, or 1 when that takes longer than
 * `shutdownTimeoutMs`), a second signal at once with status 1. A bad environment is explained and ends with 78; any other failure
 * to start, and any uncaught error, ends with 1. The only code that ends the process.
 */
export async function runService(name: string, start: () => Promise<Started>): Promise<void> {
  let running: Started
  const early = new AbortController()
  const endEarly = (): void => process.exit(1)
  process.once('SIGTERM', endEarly).once('SIGINT', endEarly)
  try {
    running = await start()
  } catch (error) {
    early.abort()
    process.exit(explainFailedStart(name, error))
  }
  process.off('SIGTERM', endEarly).off('SIGINT', endEarly)
  const { log, shutdownTimeoutMs } = running
  if (!isMeasured())
    log.warn('nothing is measured: start with `node --import @roomcast/runtime/instrument`')

  const fail = (error: unknown): void => {
    log.fatal({ err: error }, 'uncaught error')
    process.exit(1)
  }
  process.on('uncaughtException', fail).on('unhandledRejection', fail)

  let isEnding = false
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) {
      log.warn({ signal }, 'second signal: ending at once')
      process.exit(1)
    }
    isEnding = true
    log.info({ signal }, 'ending')
    setTimeout(() => {
      log.error({ shutdownTimeoutMs }, 'an orderly end took too long')
      process.exit(1)
    }, shutdownTimeoutMs).unref()
    running.close().then(
      () => {
        log.info('ended')
        process.exit(0)
      },
      (error: unknown) => {
        log.error({ err: error }, 'ending failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end).on('SIGINT', end)
}

/** Says on standard error what is wrong, in words where the cause is known, and returns the exit status. */
function explainFailedStart(name: string, error: unknown): number {
  if (error instanceof SettingsError) {
    const faults = error.faults.map((fault) => `  ${fault}\n`).join('')
    process.stderr.write(`roomcast ${name}: the environment is not valid\n${faults}`)
    return EXIT_CONFIG
  }
  if (error instanceof StartError) {
    process.stderr.write(`roomcast ${name}: ${error.message}\n`)
    return 1
  }
  process.stderr.write(`roomcast ${name}: failed to start\n`)
  console.error(error)
  return 1
}

/** Unwinds what was opened, in reverse order, whatever fails on the way; the first error is thrown at the end. Idempotent. */
export class Closer {
  readonly #steps: (() => unknown)[] = []
  #closing: Promise<void> | undefined

  /** Adds a step that runs before all that were added earlier. */
  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  readonly close = (): Promise<void> => (this.#closing ??= this.#unwind())

  async #unwind(): Promise<void> {
    const errors: unknown[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'while closing')
  }
}
