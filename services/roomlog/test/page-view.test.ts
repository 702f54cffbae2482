import { describe, expect, it } from '@jest/globals'
import { encodeMessage } from '@roomcast/protocol'
import { EMPTY_HEAD, type Head } from '@roomcast/roomlog'
import { viewOf, type Asked } from '@roomcast/roomlog'

const entry = (seq: number) => ({
  seq,
  payload: encodeMessage({ event: 'join', room: 'r', data: { username: `u${seq}` } }),
})
const never = (seq: number): never => {
  throw new Error(`${seq} is readable`)
}
/** Numbers 1 to 5 of epoch a, 6 to 9 of epoch b; those from 4 on are kept. */
const HEAD: Head = { epoch: 'b', seq: 9, first: 4, ends: [{ epoch: 'a', end: 5 }] }
const view = (asked: Asked, seqs: readonly number[], head = HEAD) =>
  viewOf({ head, entries: seqs.map(entry) }, asked, never)

describe('a page', () => {
  it('gives each message the offset of the epoch in which it got its number', () => {
    const { messages } = view({ limit: 3, after: { epoch: 'a', seq: 3 } }, [4, 5, 6])
    expect(messages.map(({ offset }) => offset)).toEqual(['a:4', 'a:5', 'b:6'])
  })

  it.each<[string, Asked, readonly number[], string, boolean]>([
    ['the latest', { limit: 2 }, [8, 9], 'b:9', true],
    ['the latest of all that is kept', { limit: 6 }, [4, 5, 6, 7, 8, 9], 'b:9', true],
    ['more than is kept', { limit: 7 }, [4, 5, 6, 7, 8, 9], 'b:9', false],
    ['a full page after', { limit: 2, after: { epoch: 'a', seq: 4 } }, [5, 6], 'b:6', true],
    ['the last page after', { limit: 9, after: { epoch: 'b', seq: 7 } }, [8, 9], 'b:9', true],
    ['nothing after the end', { limit: 9, after: { epoch: 'b', seq: 9 } }, [], 'b:9', true],
    ['after what is gone', { limit: 2, after: { epoch: 'a', seq: 1 } }, [4, 5], 'a:5', false],
    ['before', { limit: 2, before: { epoch: 'b', seq: 6 } }, [4, 5], 'a:5', true],
    [
      'before, beyond what is kept',
      { limit: 3, before: { epoch: 'b', seq: 6 } },
      [4, 5],
      'a:5',
      false,
    ],
    ['before the first', { limit: 3, before: { epoch: 'a', seq: 1 } }, [], 'a:0', false],
  ])('of %s says where it ends and whether it is whole', (_what, asked, seqs, offset, complete) => {
    expect(view(asked, seqs)).toMatchObject({ offset, complete })
  })

  it('of an empty log is whole', () => {
    expect(view({ limit: 5 }, [], EMPTY_HEAD)).toEqual({
      messages: [],
      offset: '0:0',
      complete: true,
    })
  })

  it.each([
    [{ epoch: 'z', seq: 1 }],
    [{ epoch: 'a', seq: 6 }],
    [{ epoch: 'b', seq: 10 }],
    [{ epoch: '0', seq: 1 }],
  ])('after %j is gone', (position) => {
    expect(() => view({ limit: 5, after: position }, [])).toThrow('read again without it')
    expect(() => view({ limit: 5, before: position }, [])).toThrow('read again without it')
  })
})
