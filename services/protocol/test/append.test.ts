import { expect, it } from '@jest/globals'
import { decodeAppendRequest, encodeAppendRequest, encodeMessage, RoomId } from '@roomcast/protocol'

const room = RoomId.parse('a\u2028 room "x"')
const payload = encodeMessage({
  event: 'broadcast_say',
  room,
  data: { username: 'alice', text: 'one\ntwo\r\u2028"\\' },
  id: '1',
  ts: 1,
})

it('an append request is read as it was written', () => {
  const batches = [
    {
      room,
      producer: { id: 'p', first: 7 },
      messages: [
        { payload, key: 'alice\n1' },
        { payload, key: undefined },
      ],
    },
    { room: RoomId.parse('b'), messages: [{ payload: '{}', key: undefined }] },
  ]
  expect(decodeAppendRequest(encodeAppendRequest(batches))).toEqual(batches)
})

it('the traces of messages go with them, in a field that a reader may leave out', () => {
  const trace = `00-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01`
  const batches = [
    {
      room,
      messages: [
        { payload, key: undefined },
        { payload, key: 'alice\n1', trace },
      ],
    },
  ]
  const request = encodeAppendRequest(batches)
  expect(decodeAppendRequest(request)).toEqual(batches)
  expect(decodeAppendRequest(request.replace(/,"traces":\[[^{]*?\]\]/, ''))[0]?.messages).toEqual([
    { payload, key: undefined },
    { payload, key: 'alice\n1' },
  ])
  expect(encodeAppendRequest([{ room, messages: [{ payload }] }])).not.toContain('traces')
  expect(() => decodeAppendRequest(request.replace('00-', '"\\n-'))).toThrow()
})

it.each([
  ['no line break at the end', '{"v":1,"room":"r","keys":[null]}\n{}'],
  ['a header that is no JSON', 'nonsense\n{}\n'],
  ['another version', '{"v":2,"room":"r","keys":[null]}\n{}\n'],
  ['a bad room', '{"v":1,"room":"","keys":[null]}\n{}\n'],
  ['no messages', '{"v":1,"room":"r","keys":[]}\n'],
  ['fewer payloads than keys', '{"v":1,"room":"r","keys":[null,null]}\n{}\n'],
  [
    'too many messages',
    `{"v":1,"room":"r","keys":[${Array(257).fill('null').join()}]}\n${'{}\n'.repeat(257)}`,
  ],
])('a request with %s is refused', (_, body) => {
  expect(() => decodeAppendRequest(body)).toThrow()
})
