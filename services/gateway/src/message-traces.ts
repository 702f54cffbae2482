import type { AppendBatch, AppendResult, RoomId } from '@roomcast/protocol'
import {
  beginTrace,
  continueTrace,
  endSpan,
  traceAppend,
  type Span,
  type SpanShape,
  type Tracer,
} from '@roomcast/runtime'
import type { ChatSocket } from './sockets.ts'
import { fullBucket, take } from './token-bucket.ts'

/** Traces that clients may begin, over all of them: who asks for a trace with every message gets the usual share. */
const CLIENT_TRACES = { perSecond: 100, burst: 100 } as const

const SAY: SpanShape = { name: 'say', kind: 'server' }
const APPEND: SpanShape = { name: 'append', kind: 'client' }

type Append = (batches: readonly AppendBatch[]) => Promise<readonly AppendResult[]>

/** Ends the span of a delivery: `members` had it written to them, or queued. */
export type EndDelivery = (members: number) => void

/** The spans of messages on their way through a gateway. */
export interface MessageTraces {
  /** Remembers what a client said of traces when it connected. Before its headers are let go. */
  connected(socket: ChatSocket): void
  /**
   * Begins the span of a `say` when it is traced: in the trace of its sender, which the request names or the handshake did, if the
   * sender traces it; otherwise by chance.
   */
  said(socket: ChatSocket, request: unknown): Span | undefined
  append(batches: readonly AppendBatch[], append: Append): ReturnType<Append>
  /** Begins the span of a traced message that has come here, to be ended when its room's members were told. */
  delivering(room: RoomId, traceparent: string): EndDelivery | undefined
}

export function createMessageTraces(
  tracer: Tracer,
  {
    sampleRatio,
    now,
    random,
  }: {
    readonly sampleRatio: number
    /** For durations, in milliseconds. */
    readonly now: () => number
    /** From 0 to 1, 1 left out. */
    readonly random: () => number
  },
): MessageTraces {
  /** Weak, and only of those that named one: other sockets cost nothing. */
  const named = new WeakMap<ChatSocket, string>()
  const bucket = fullBucket(CLIENT_TRACES, now())

  return {
    connected(socket) {
      const { auth, headers, query } = socket.handshake
      for (const traceparent of [auth['traceparent'], headers['traceparent'], query['traceparent']])
        if (typeof traceparent === 'string') return void named.set(socket, traceparent)
    },

    said(socket, request) {
      const parent = parentIn(request) ?? named.get(socket)
      if (parent !== undefined && take(bucket, CLIENT_TRACES, now()) === 0)
        return continueTrace(tracer, parent, SAY)
      return random() < sampleRatio ? beginTrace(tracer, SAY) : undefined
    },

    append: (batches, append) => traceAppend(tracer, APPEND, batches, append),

    delivering(room, traceparent) {
      const span = continueTrace(tracer, traceparent, {
        name: 'deliver',
        kind: 'consumer',
        attributes: { 'roomcast.room': room },
      })
      if (span === undefined) return undefined
      return (members) => {
        span.setAttribute('roomcast.members', members)
        endSpan(span)
      }
    },
  }
}

function parentIn(request: unknown): string | undefined {
  if (typeof request !== 'object' || request === null || !('traceparent' in request))
    return undefined
  return typeof request.traceparent === 'string' ? request.traceparent : undefined
}
