import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** A span as a collector gets it. */
export interface ReceivedSpan {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first of a trace. */
  readonly parentSpanId: string
  readonly name: string
  /** By OTLP's number: 2 server, 3 client, 5 consumer. */
  readonly kind: number
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, string | number>>
  /** Of a failure; empty otherwise. */
  readonly failure: string
}

export interface TestCollector extends AsyncDisposable {
  /** For OTLP over HTTP. */
  readonly url: string
  /** In the order of their arrival. */
  spans(): readonly ReceivedSpan[]
  /** Values that the requests' header of this name had. */
  header(name: string): ReadonlySet<string>
}

/** A collector that takes traces as OTLP over HTTP in protobuf, and keeps them. */
export async function startCollector(): Promise<TestCollector> {
  const spans: ReceivedSpan[] = []
  const headers: Record<string, unknown>[] = []
  const server = createServer((req, res) => {
    headers.push(req.headers)
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      if (req.url !== '/v1/traces' || req.headers['content-type'] !== 'application/x-protobuf') {
        res.writeHead(404).end()
        return
      }
      spans.push(...spansIn(Buffer.concat(chunks)))
      res.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans: () => spans,
    header: (name) =>
      new Set(headers.map((of) => of[name]).filter((value) => typeof value === 'string')),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close').catch(() => undefined)
    },
  }
}

/** The fields of a protobuf message: bytes for strings, bytes and messages, numbers for the rest. */
type Fields = ReadonlyMap<number, readonly (Buffer | bigint)[]>

function fieldsOf(message: Buffer): Fields {
  const fields = new Map<number, (Buffer | bigint)[]>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]
      if (byte === undefined) throw new Error('a protobuf message that is cut off')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const valueOf = (type: bigint): Buffer | bigint => {
    switch (type) {
      case 0n:
        return varint()
      case 1n:
        return message.readBigUInt64LE((at += 8) - 8)
      case 2n: {
        const size = Number(varint())
        return message.subarray(at, (at += size))
      }
      case 5n:
        return BigInt(message.readUInt32LE((at += 4) - 4))
      default:
        throw new Error(`a protobuf field of type ${type}`)
    }
  }
  while (at < message.length) {
    const tag = varint()
    const field = Number(tag >> 3n)
    fields.set(field, [...(fields.get(field) ?? []), valueOf(tag & 7n)])
  }
  return fields
}

function messages(fields: Fields, field: number): Fields[] {
  return (fields.get(field) ?? []).flatMap((value) =>
    Buffer.isBuffer(value) ? [fieldsOf(value)] : [],
  )
}

function bytes(fields: Fields, field: number): Buffer {
  const value = fields.get(field)?.[0]
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0)
}

function number(fields: Fields, field: number): bigint {
  const value = fields.get(field)?.[0]
  return typeof value === 'bigint' ? value : 0n
}

/** By the numbers of opentelemetry/proto/trace/v1/trace.proto. */
function spansIn(request: Buffer): ReceivedSpan[] {
  return messages(fieldsOf(request), 1).flatMap((ofResource) => {
    const resource = attributesIn(messages(ofResource, 1)[0] ?? new Map(), 1)
    return messages(ofResource, 2)
      .flatMap((ofScope) => messages(ofScope, 2))
      .map((span) => ({
        service: String(resource['service.name']),
        traceId: bytes(span, 1).toString('hex'),
        spanId: bytes(span, 2).toString('hex'),
        parentSpanId: bytes(span, 4).toString('hex'),
        name: bytes(span, 5).toString(),
        kind: Number(number(span, 6)),
        startNs: number(span, 7),
        endNs: number(span, 8),
        attributes: attributesIn(span, 9),
        failure: messages(span, 15)
          .map((status) => bytes(status, 2).toString())
          .join(),
      }))
  })
}

function attributesIn(fields: Fields, field: number): Record<string, string | number> {
  return Object.fromEntries(
    messages(fields, field).map((attribute) => {
      const value = messages(attribute, 2)[0] ?? new Map()
      const text = value.has(1) ? bytes(value, 1).toString() : Number(number(value, 3))
      return [bytes(attribute, 1).toString(), text]
    }),
  )
}
