import { describe, expect, it } from '@jest/globals'
import * as ws from 'ws'
import { encodeFrames, frameAt } from '../src/frames.ts'

const { Sender } = ws as unknown as {
  Sender: { frame(data: Buffer, options: Record<string, unknown>): Buffer[] }
}
const byWs = (text: string): Buffer =>
  Buffer.concat(
    Sender.frame(Buffer.from(text), {
      readOnly: true,
      mask: false,
      rsv1: false,
      opcode: 1,
      fin: true,
    }),
  )

describe('encodeFrames', () => {
  it.each([0, 1, 123, 124, 125, 126, 65_533, 65_534, 65_535, 65_536, 200_000])(
    'frames %d characters as ws does',
    (length) => {
      const { bytes } = encodeFrames('42', ['x'.repeat(length)])
      expect(bytes.equals(byWs(`42${'x'.repeat(length)}`))).toBe(true)
    },
  )

  it('counts bytes, not characters', () => {
    const texts = ['漢字', 'ö'.repeat(63), '🙂'.repeat(20_000), '']
    const frames = encodeFrames('42/rooms/a,', texts)
    const expected = texts.map((text) => byWs(`42/rooms/a,${text}`))
    expect(frames.bytes.equals(Buffer.concat(expected))).toBe(true)
    for (const [i, frame] of expected.entries()) expect(frameAt(frames, i).equals(frame)).toBe(true)
  })
})
