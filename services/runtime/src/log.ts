import { trace } from '@opentelemetry/api'
import { pino, type Logger } from 'pino'

export type Log = Logger

/**
 * An error as it is logged: what pino's own serializer tells, without the command that an error of ioredis carries. Its arguments are
 * people's messages, or the password that was refused.
 */
function serializeError(error: unknown): unknown {
  const told: unknown = pino.stdSerializers.errWithCause(error as Error)
  strip(told)
  return told
}

function strip(told: unknown): void {
  if (typeof told !== 'object' || told === null) return
  if ('command' in told) delete told.command
  if ('cause' in told) strip(told.cause)
  if ('aggregateErrors' in told && Array.isArray(told.aggregateErrors))
    told.aggregateErrors.forEach(strip)
}

/** The trace that a line belongs to, if it is written within one, by the names that OpenTelemetry gives it in logs. */
function traceFields(): object {
  const place = trace.getActiveSpan()?.spanContext()
  return place === undefined ? {} : { trace_id: place.traceId, span_id: place.spanId }
}

/** Logs JSON lines to standard output, or to a destination. Never logs credentials. */
export function createLog(
  service: string,
  level: string,
  destination?: pino.DestinationStream,
): Log {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
      mixin: traceFields,
      redact: [
        '*.authorization',
        '*.cookie',
        '*.token',
        '*.password',
        'headers["x-roomcast-token"]',
      ],
    },
    destination ?? pino.destination(1),
  )
}
