import { z } from 'zod'
import { APPEND_BATCH_MAX, APPEND_ROOMS_MAX } from './limits.ts'
import { formatOffset } from './offset.ts'
import { RoomId } from './rooms.ts'
import { TRACEPARENT } from './trace.ts'

/**
 * Gateway to broker: `POST /internal/append`. The body is lines of UTF-8: for each room batch one header line of JSON and
 * then one line per message, its payload as `encodeMessage` wrote it. Payloads thus pass through the broker as bytes.
 */
export const APPEND_PATH = '/internal/append'
export const APPEND_CONTENT_TYPE = 'application/vnd.roomcast.append'

/** Who numbers the messages of a batch, as Kafka's idempotent producer: one id per gateway instance and room. */
export interface Producer {
  readonly id: string
  /** Number of the batch's first message in this producer's count, from 1. */
  readonly first: number
}

export interface AppendMessage {
  readonly payload: string
  /** Scope and client id of a message that its sender may send again: one key is one message. */
  readonly key?: string | undefined
  /** The place in a trace, of a message that is traced: see `TRACEPARENT`. */
  readonly trace?: string | undefined
}

/**
 * What a message that waits to be appended takes beside its payload, in bytes of memory: its header, its key, and what points to it. An
 * estimate, for the bounds of what may wait in a gateway and in a broker.
 */
export const MESSAGE_OVERHEAD_BYTES = 300

export interface AppendBatch {
  readonly room: RoomId
  /** Absent for a caller that does not repeat failed batches, or repeats them by keys alone. */
  readonly producer?: Producer | undefined
  readonly messages: readonly AppendMessage[]
}

/** The key of a message: its sender's name within the room, and his id for it. */
export function messageKey(sender: string, clientId: string): string {
  return `${sender}\n${clientId}`
}

const Header = z.object({
  v: z.literal(1),
  room: RoomId,
  producer: z.string().min(1).max(64).optional(),
  first: z.int().min(1).optional(),
  /** One a message; null where it has none. */
  keys: z.array(z.string().max(1_024).nullable()).min(1).max(APPEND_BATCH_MAX),
  /** Of the traced ones among them: index and trace. A reader that does not know it appends without. */
  traces: z
    .array(z.tuple([z.int().min(0), z.string().regex(TRACEPARENT)]))
    .max(APPEND_BATCH_MAX)
    .optional(),
})

export function encodeAppendRequest(batches: readonly AppendBatch[]): string {
  let body = ''
  for (const { room, producer, messages } of batches) {
    body += JSON.stringify({
      v: 1,
      room,
      producer: producer?.id,
      first: producer?.first,
      keys: messages.map(({ key }) => key ?? null),
      traces: tracesOf(messages),
    } satisfies z.input<typeof Header>)
    for (const { payload } of messages) body += `\n${payload}`
    body += '\n'
  }
  return body
}

/** Undefined, and so no part of the header, where nothing is traced. */
function tracesOf(messages: readonly AppendMessage[]): [number, string][] | undefined {
  let traces: [number, string][] | undefined
  for (const [i, { trace }] of messages.entries()) {
    if (trace !== undefined) (traces ??= []).push([i, trace])
  }
  return traces
}

/** Throws an `Error` that says what is wrong: the sender is one of ours, of another version at most. */
export function decodeAppendRequest(body: string): AppendBatch[] {
  const lines = body.split('\n')
  if (lines.pop() !== '') throw new Error('an append request ends with a line break')
  const batches: AppendBatch[] = []
  for (let at = 0; at < lines.length;) {
    if (batches.length === APPEND_ROOMS_MAX)
      throw new Error(`over ${APPEND_ROOMS_MAX} room batches`)
    const header = Header.parse(JSON.parse(lines[at++] ?? ''))
    const messages: AppendMessage[] = header.keys.map((key, i) => {
      const payload = lines[at + i]
      if (payload === undefined) throw new Error('fewer payloads than keys')
      return { payload, key: key ?? undefined }
    })
    for (const [i, trace] of header.traces ?? []) {
      const message = messages[i]
      if (message !== undefined) messages[i] = { ...message, trace }
    }
    at += messages.length
    const { room, producer, first } = header
    batches.push({
      room,
      messages,
      ...(producer !== undefined && first !== undefined
        ? { producer: { id: producer, first } }
        : {}),
    })
  }
  return batches
}

/**
 * What became of one room batch.
 * - `appended`: every message is in the log; `seqs` has their numbers in the order of the request. A message whose key the log
 *   knew keeps its old number.
 * - `out_of_order`: nothing was appended; the producer's last number in the log is `last`. Begin a new producer id.
 * - `failed`: the log could not be reached. Whether it was appended is unknown: send exactly the same batch again.
 */
export const AppendResult = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('appended'),
    epoch: z.string(),
    seqs: z.array(z.number()),
    /** The epoch of each number, when some were given in an earlier one than `epoch`. */
    epochs: z.array(z.string()).optional(),
  }),
  z.object({ status: z.literal('out_of_order'), last: z.number() }),
  z.object({ status: z.literal('failed'), message: z.string() }),
])
export type AppendResult = z.infer<typeof AppendResult>

/** The offset of the message at `index` of an appended batch. */
export function offsetOf(
  { epoch, seqs, epochs }: Extract<AppendResult, { status: 'appended' }>,
  index: number,
): string {
  return formatOffset({ epoch: epochs?.[index] ?? epoch, seq: seqs[index] ?? 0 })
}

/** One result per batch, in the order of the request. */
export const AppendResponse = z.object({ v: z.literal(1), results: z.array(AppendResult) })
