/** Opcode of a text frame with FIN set (RFC 6455, section 5.2). What a server sends is not masked. */
const FIN_TEXT = 0x81
/** Payload lengths up to this are in the second byte itself. */
const SHORT_MAX = 125
const MARK_16_BITS = 126
const MARK_64_BITS = 127

/** Websocket frames, one after another in one Buffer. */
export interface Frames {
  readonly bytes: Buffer
  /** Where each frame ends. */
  readonly ends: readonly number[]
}

/** Encodes one text frame for each of `texts`, each with `head` before it. */
export function encodeFrames(head: string, texts: readonly string[]): Frames {
  const headLength = Buffer.byteLength(head)
  const lengths = texts.map((text) => headLength + Buffer.byteLength(text))
  let size = 0
  for (const length of lengths) size += headerSize(length) + length
  // Not from Node's pool: a stalled reader's share would keep the whole pool block.
  const bytes = Buffer.allocUnsafeSlow(size)
  const ends: number[] = []
  let at = 0
  for (const [i, text] of texts.entries()) {
    at = writeHeader(bytes, at, lengths[i] ?? 0)
    at += bytes.write(head, at)
    at += bytes.write(text, at)
    ends.push(at)
  }
  return { bytes, ends }
}

/** One of the frames. */
export function frameAt({ bytes, ends }: Frames, i: number): Buffer {
  return bytes.subarray(ends[i - 1] ?? 0, ends[i])
}

function headerSize(length: number): number {
  if (length <= SHORT_MAX) return 2
  return length <= 0xffff ? 4 : 10
}

function writeHeader(bytes: Buffer, at: number, length: number): number {
  bytes[at] = FIN_TEXT
  if (length <= SHORT_MAX) {
    bytes[at + 1] = length
    return at + 2
  }
  if (length <= 0xffff) {
    bytes[at + 1] = MARK_16_BITS
    bytes.writeUInt16BE(length, at + 2)
    return at + 4
  }
  bytes[at + 1] = MARK_64_BITS
  bytes.writeUInt32BE(0, at + 2)
  bytes.writeUInt32BE(length, at + 6)
  return at + 10
}
