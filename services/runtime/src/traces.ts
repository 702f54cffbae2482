import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api'
import { parseTraceParent } from '@opentelemetry/core'
import { TRACEPARENT, type AppendBatch, type AppendResult } from '@roomcast/protocol'

export type { Span, Tracer } from '@opentelemetry/api'

/** What a span is, besides its place in a trace. */
export interface SpanShape {
  readonly name: string
  readonly kind: keyof typeof KINDS
  readonly attributes?: Attributes
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
} as const

/** Begins a trace. */
export function beginTrace(tracer: Tracer, shape: SpanShape): Span {
  return tracer.startSpan(shape.name, optionsOf(shape), ROOT_CONTEXT)
}

/** Begins a span in the trace that a `traceparent` names; none when that is not sampled, or is no `traceparent`. */
export function continueTrace(
  tracer: Tracer,
  traceparent: string,
  shape: SpanShape,
): Span | undefined {
  const parent = parseTraceParent(traceparent)
  if (parent === null || (parent.traceFlags & TraceFlags.SAMPLED) === 0) return undefined
  const place = trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true })
  return tracer.startSpan(shape.name, optionsOf(shape), place)
}

function optionsOf({ kind, attributes = {} }: SpanShape): SpanOptions {
  return { kind: KINDS[kind], attributes }
}

/** The place of a span's children, as it goes to another process. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`
}

/** The `traceparent` of an HTTP request, if it has one of the version that is known here. */
export function traceparentIn(headers: Readonly<Record<string, unknown>>): string | undefined {
  const { traceparent } = headers
  return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined
}

/** Runs with the span as the one that log lines name, also after what it awaits. */
export function within<T>(span: Span, run: () => T): T {
  return context.with(trace.setSpan(ROOT_CONTEXT, span), run)
}

export function endSpan(span: Span, failure?: string): void {
  if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure })
  span.end()
}

/**
 * Runs an append with a span for each traced message of it, so that every trace is whole by itself however messages were gathered. The
 * messages go on with these spans as their traces' place. Without a traced message it costs a look at each.
 */
export async function traceAppend(
  tracer: Tracer,
  shape: SpanShape,
  batches: readonly AppendBatch[],
  append: (batches: readonly AppendBatch[]) => Promise<readonly AppendResult[]>,
): Promise<readonly AppendResult[]> {
  const spans: { readonly span: Span; readonly batch: number }[] = []
  const traced = batches.map((batch, at) => {
    if (!batch.messages.some(({ trace: place }) => place !== undefined)) return batch
    const messages = batch.messages.map((message) => {
      const span =
        message.trace === undefined ? undefined : continueTrace(tracer, message.trace, shape)
      if (span === undefined) return message
      span.setAttributes({ 'roomcast.room': batch.room, 'roomcast.batch': batch.messages.length })
      spans.push({ span, batch: at })
      return { ...message, trace: traceparentOf(span) }
    })
    return { ...batch, messages }
  })
  const [first] = spans
  if (first === undefined) return append(batches)
  try {
    const results = await within(first.span, () => append(traced))
    for (const { span, batch } of spans) {
      const status = results[batch]?.status
      endSpan(span, status === 'appended' ? undefined : (status ?? 'no result'))
    }
    return results
  } catch (error) {
    for (const { span } of spans) endSpan(span, error instanceof Error ? error.message : 'failed')
    throw error
  }
}
