import { expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import { rightsOf } from '../../src/auth/room-rights.ts'

it('rights of several rules add up, and a room that fits none has none', () => {
  const { mayRead, mayWrite } = rightsOf([
    { pattern: 'team-*', read: true, write: false },
    { pattern: 'team-7', read: false, write: true },
  ])
  const [seven, eight, lobby] = ['team-7', 'team-8', 'lobby'].map((id) => RoomId.parse(id))
  if (seven === undefined || eight === undefined || lobby === undefined) throw new Error('no ids')
  expect([mayRead(seven), mayWrite(seven)]).toEqual([true, true])
  expect([mayRead(eight), mayWrite(eight)]).toEqual([true, false])
  expect([mayRead(lobby), mayWrite(lobby)]).toEqual([false, false])
  expect(mayWrite(seven)).toBe(true)
})
