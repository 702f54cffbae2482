import { describe, expect, it } from '@jest/globals'
import { formatOffset, parseOffset } from '@roomcast/protocol'

describe('an offset', () => {
  it.each([
    ['k3x9:0', { epoch: 'k3x9', seq: 0 }],
    ['k3x9:9007199254740991', { epoch: 'k3x9', seq: Number.MAX_SAFE_INTEGER }],
  ])('%s is read and written back the same', (text, position) => {
    expect(parseOffset(text)).toEqual(position)
    expect(formatOffset(position)).toBe(text)
  })

  it.each([
    '',
    ':',
    'k3x9',
    'k3x9:',
    ':7',
    'k3x9:-1',
    'k3x9:01',
    'k3x9:1.5',
    'K3X9:1',
    'k3x9:1 ',
    'k3x9:9007199254740992',
    'hello',
    'a:1:2',
  ])('that no server made is refused: %j', (text) => expect(parseOffset(text)).toBeUndefined())
})
