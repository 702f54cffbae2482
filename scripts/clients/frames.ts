/** Opcodes of RFC 6455, section 5.2. */
export const OPCODE = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const

const FIN = 0x80
const MASKED = 0x80
const LENGTH_16 = 126
const LENGTH_64 = 127
const OPCODE_BITS = 0x0f
const MASK_BYTES = 4

/** Called for each frame; its payload is `buffer` from `start` to `end`, and only until the call returns. */
export type OnFrame = (opcode: number, buffer: Buffer, start: number, end: number) => void

/**
 * Walks the frames of a server, which are not masked, in chunks as they arrive; a frame that is cut is kept until its rest is there.
 * Throws on a fragmented message: no server of ours sends any, and counting them would be wrong.
 */
export function frameReader(
  onFrame: OnFrame,
): (buffer: Buffer, start: number, end: number) => void {
  let rest: Buffer | undefined
  return (chunk, start, stop) => {
    let [buffer, at, end] = [chunk, start, stop]
    if (rest !== undefined) {
      buffer = Buffer.concat([rest, chunk.subarray(start, stop)])
      at = 0
      end = buffer.length
      rest = undefined
    }
    while (end - at >= 2) {
      const first = buffer[at] ?? 0
      let length = buffer[at + 1] ?? 0
      let body = at + 2
      if (length === LENGTH_16) {
        body += 2
        if (end < body) break
        length = buffer.readUInt16BE(at + 2)
      } else if (length === LENGTH_64) {
        body += 8
        if (end < body) break
        length = Number(buffer.readBigUInt64BE(at + 2))
      }
      if (end < body + length) break
      if ((first & FIN) === 0) throw new Error('a fragmented message')
      onFrame(first & OPCODE_BITS, buffer, body, body + length)
      at = body + length
    }
    if (at < end) rest = Buffer.from(buffer.subarray(at, end))
  }
}

/**
 * A frame of a client. The mask, which every client frame must have, is zero: masks protect caches on the way from pages that an
 * attacker wrote, and a server takes it off all the same.
 */
export function clientFrame(opcode: number, payload: string): Buffer {
  const length = Buffer.byteLength(payload)
  const extended = length < LENGTH_16 ? 0 : 2
  if (length > 0xffff) throw new Error('a frame of a client is at most 65,535 bytes here')
  const frame = Buffer.alloc(2 + extended + MASK_BYTES + length)
  frame[0] = FIN | opcode
  frame[1] = MASKED | (extended === 0 ? length : LENGTH_16)
  if (extended > 0) frame.writeUInt16BE(length, 2)
  frame.write(payload, 2 + extended + MASK_BYTES)
  return frame
}
