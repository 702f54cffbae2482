import { z } from 'zod'
import { secret, type SettingsShape } from './settings.ts'

const RATIO_HINT = 'must be a number from 0 to 1'

/** Settings of the services that take part in traces. */
export const traceSettings = {
  OTLP_TRACES_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL that begins with http:// or https://' })
    .optional()
    .describe(
      'Where traces are sent as OTLP over HTTP (protobuf), such as `http://collector:4318/v1/traces`. Without it there are none.',
    ),
  OTLP_HEADERS: z
    .string()
    .regex(/^[^=,\s]+=[^,]*(,[^=,\s]+=[^,]*)*$/, { error: 'must be name=value,name=value' })
    .register(secret, { secret: true })
    .optional()
    .describe('Headers of those requests, as `name=value,name=value`.'),
  TRACE_SAMPLE_RATIO: z
    .string()
    .regex(/^\d*\.?\d+$/, { error: RATIO_HINT })
    .transform(Number)
    .pipe(z.number().min(0, { error: RATIO_HINT }).max(1, { error: RATIO_HINT }))
    .default(0.01)
    .describe(
      'Share of the messages that begin a trace here. One that continues a trace of its sender goes by that.',
    ),
} satisfies SettingsShape

export interface TraceConfig {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** From 0 to 1. */
  readonly sampleRatio: number
}

/** Undefined while tracing is off. */
export function traceConfig(settings: {
  readonly OTLP_TRACES_URL?: string | undefined
  readonly OTLP_HEADERS?: string | undefined
  readonly TRACE_SAMPLE_RATIO: number
}): TraceConfig | undefined {
  const { OTLP_TRACES_URL: url, OTLP_HEADERS: headers, TRACE_SAMPLE_RATIO: sampleRatio } = settings
  if (url === undefined) return undefined
  const pairs = (headers?.split(',') ?? []).map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  return { url, headers: Object.fromEntries(pairs), sampleRatio }
}
