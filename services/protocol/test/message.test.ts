import { describe, expect, it } from '@jest/globals'
import {
  ClientId,
  Join,
  MemberName,
  parseRoomId,
  roomNamespace,
  roomOfNamespace,
  RoomId,
  say,
  History,
} from '@roomcast/protocol'

const Say = say()
const fault = (result: { success: boolean; error?: { issues: readonly { message: string }[] } }) =>
  result.success ? undefined : result.error?.issues[0]?.message

describe('a room id', () => {
  it.each([
    ['a', 'a'],
    ['漢字 👩‍👩‍👧', '漢字 👩‍👩‍👧'],
    ['x'.repeat(128), 'x'.repeat(128)],
    ['😀'.repeat(128), '😀'.repeat(128)],
    ['cafe\u0301', 'caf\u00e9'],
    [' spaced ', ' spaced '],
    ['...', '...'],
    ['a/b,c?d#e%f', 'a/b,c?d#e%f'],
  ])('%j is taken as %j', (raw, room) => {
    expect(parseRoomId(raw)).toEqual({ room })
    expect(roomOfNamespace(roomNamespace(RoomId.parse(raw)))).toEqual({ room })
  })

  it.each([
    [undefined, 'a room id must be a string'],
    [7, 'a room id must be a string'],
    [['a', 'b'], 'a room id must be a string'],
    [{}, 'a room id must be a string'],
    ['', 'a room id must have 1 to 128 characters'],
    ['x'.repeat(129), 'a room id must have 1 to 128 characters'],
    ['x'.repeat(1_000_000), 'a room id must have 1 to 128 characters'],
    ['a\u0000b', 'a room id must not have control characters'],
    ['a\nb', 'a room id must not have control characters'],
    ['a\u0085b', 'a room id must not have control characters'],
    ['\ud800', 'a room id must not have control characters'],
    ['.', 'a room id must not be "." or ".."'],
    ['..', 'a room id must not be "." or ".."'],
  ])('%j is refused: %s', (raw, message) => {
    expect(parseRoomId(raw)).toEqual({ message })
  })

  it('in a namespace must be percent-encoded', () => {
    expect(roomOfNamespace('/rooms/%E0%A4%A')).toHaveProperty('message')
    expect(roomOfNamespace('/rooms/')).toHaveProperty('message')
  })
})

describe('a name', () => {
  it.each([
    ['  alice  ', 'alice'],
    ['<b>bob</b>', '<b>bob</b>'],
    ['n'.repeat(64), 'n'.repeat(64)],
  ])('%j is %j', (raw, name) => expect(MemberName.parse(raw)).toBe(name))

  it.each(['', '   ', 'n'.repeat(65), 'a\u0007', 'a\nb', null, 7, {}, []])('%j is refused', (raw) =>
    expect(MemberName.safeParse(raw).success).toBe(false),
  )

  it('makes a join, and what else the join says is dropped', () => {
    expect(Join.parse({ username: ' alice ', admin: true })).toEqual({ username: 'alice' })
  })
  it.each([undefined, null, 'alice', 7, [], {}, { username: 7 }])(
    'a join must be {username}: %j',
    (raw) => expect(Join.safeParse(raw).success).toBe(false),
  )
})

describe('a say', () => {
  const nest = (depth: number): unknown => (depth === 0 ? 1 : [nest(depth - 1)])

  it.each([
    [{ text: 'a' }],
    [{ text: 'é'.repeat(2_048) }],
    [{ text: 'a', type: 0 }],
    [{ text: 'a', type: 'image' }],
    [{ text: 'a', data: { x: [1, null, 'y'] } }],
    [{ text: 'a', data: null }],
    [{ text: 'a', data: nest(32) }],
    [{ text: 'a', id: '00000000-0000-4000-8000-000000000000' }],
  ])('is taken: %j', (request) => expect(Say.parse(request)).toEqual(request))

  it('what it says beyond that is dropped, the name too', () => {
    expect(Say.parse({ text: 'a', username: 'mallory', __proto__: 1, x: 1 })).toEqual({ text: 'a' })
  })

  it.each([
    [{ text: '' }, 'text must have 1 to 4096 bytes'],
    [{ text: 'a'.repeat(4_097) }, 'text must have 1 to 4096 bytes'],
    [{ text: 'é'.repeat(2_049) }, 'text must have 1 to 4096 bytes'],
    [{ text: 7 }, 'text must be a string'],
    [{}, 'text must be a string'],
    [{ text: Buffer.from('a') }, 'text must be a string'],
    [{ text: 'a', type: {} }, 'type must be a finite number or a string of at most 32 characters'],
    [
      { text: 'a', type: 'x'.repeat(33) },
      'type must be a finite number or a string of at most 32 characters',
    ],
    [{ text: 'a', data: nest(33) }, 'data must nest at most 32 levels'],
    [{ text: 'a', data: nest(5_000) }, 'data must nest at most 32 levels'],
    [{ text: 'a', data: 'x'.repeat(16_383) }, 'data must have at most 16384 bytes as JSON'],
    [{ text: 'a', data: Buffer.from('x') }, 'data must be JSON, not binary'],
    [{ text: 'a', data: { deep: [new Uint8Array(2)] } }, 'data must be JSON, not binary'],
    [{ text: 'a', id: '' }, 'id must have 1 to 64 characters'],
    [{ text: 'a', id: 7 }, 'id must be a string'],
  ])('is refused: %#', (request, message) => expect(fault(Say.safeParse(request))).toBe(message))

  it('a lone surrogate, which no encoder takes, becomes the replacement character', () => {
    expect(Say.parse({ text: 'a\ud800' })).toEqual({ text: 'a\ufffd' })
  })
  it('a client id has no control characters, so that it can not reach into another key', () => {
    expect(ClientId.safeParse('a\nb').success).toBe(false)
  })
})

describe('a history request', () => {
  it('has a default limit, and its offsets are positions', () => {
    expect(History.parse({ after: 'e:7' })).toEqual({ after: { epoch: 'e', seq: 7 }, limit: 50 })
  })
  it.each([
    [{ after: 'nonsense' }, 'not an offset that this server made'],
    [{ before: 7 }, 'an offset must be a string'],
    [{ before: 'e:1', after: 'e:2' }, 'history takes before or after, not both'],
    [{ limit: 0 }, 'limit must be at least 1'],
    [{ limit: 201 }, 'limit must be at most 200'],
    [{ limit: 1.5 }, 'limit must be a whole number from 1 to 200'],
    ['latest', 'history takes {before?, after?, limit?}'],
  ])('is refused: %j', (request, message) =>
    expect(fault(History.safeParse(request))).toBe(message),
  )
})
