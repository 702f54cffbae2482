import { expect, it } from '@jest/globals'
import { INVALID_SPAN_CONTEXT, trace, type Tracer } from '@opentelemetry/api'
import { createMessageTraces } from '../src/message-traces.ts'
import type { ChatSocket } from '../src/sockets.ts'

/** OpenTelemetry's own tracer of what is not recorded, that counts. */
function countingTracer() {
  const begun: string[] = []
  const tracer = {
    startSpan(name: string, _options, context) {
      begun.push(context === undefined ? name : (trace.getSpanContext(context)?.traceId ?? 'new'))
      return trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
    },
  } as Pick<Tracer, 'startSpan'> as Tracer
  return { tracer, begun }
}

const ID = 'a1'.repeat(16)
const traceparent = (flags: '00' | '01'): string => `00-${ID}-${'b2'.repeat(8)}-${flags}`
const socket = {} as ChatSocket

it('what a client traces is traced, up to a rate; over it chance decides', () => {
  const { tracer, begun } = countingTracer()
  let chance = 0.9
  let nowMs = 0
  const traces = createMessageTraces(tracer, {
    sampleRatio: 0.5,
    now: () => nowMs,
    random: () => chance,
  })
  for (let i = 0; i < 150; i++) traces.said(socket, { traceparent: traceparent('01') })
  expect(begun).toEqual(Array(100).fill(ID))
  chance = 0.1
  traces.said(socket, { traceparent: traceparent('01') })
  expect(begun.slice(100)).toEqual(['new'])
  nowMs = 1_000
  traces.said(socket, { traceparent: traceparent('01') })
  expect(begun.slice(101)).toEqual([ID])
})

it('what a client does not trace, or names wrongly, is not traced', () => {
  const { tracer, begun } = countingTracer()
  const traces = createMessageTraces(tracer, { sampleRatio: 1, now: () => 0, random: () => 0 })
  expect(traces.said(socket, { traceparent: traceparent('00') })).toBeUndefined()
  expect(traces.said(socket, { traceparent: 'nonsense' })).toBeUndefined()
  expect(begun).toEqual([])
  for (const request of [{}, { traceparent: 7 }, null, 'text']) traces.said(socket, request)
  expect(begun).toEqual(Array(4).fill('new'))
})
