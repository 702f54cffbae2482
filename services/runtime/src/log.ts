import { pino, type Logger } from 'pino'

export type Log = Logger

/** Logs JSON lines to standard output, or readable ones where `pretty` names a destination. Never logs credentials. */
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
