import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { WebSocketServer } from 'ws'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { clientFrame, frameReader, OPCODE } from '../clients/frames.ts'
import { dueAt, dueCount } from '../clients/pace.ts'
import { readText, writeText } from '../clients/text.ts'
import { advance, further, hasReached } from '../load/cursor.ts'
import { createTruth } from '../load/truth.ts'

/** A frame as a server sends it. */
function serverFrame(payload: string): Buffer {
  const body = Buffer.from(payload)
  const header =
    body.length < 126
      ? Buffer.from([0x81, body.length])
      : body.length < 65_536
        ? Buffer.from([0x81, 126, body.length >> 8, body.length & 0xff])
        : Buffer.concat([
            Buffer.from([0x81, 127]),
            Buffer.from(BigInt(body.length).toString(16).padStart(16, '0'), 'hex'),
          ])
  return Buffer.concat([header, body])
}

describe('frameReader', () => {
  it('finds the same frames however the bytes are cut', () => {
    const length = fc.oneof(fc.nat(200), fc.constantFrom(125, 126, 65_535, 65_536, 70_000))
    fc.assert(
      fc.property(fc.array(length, { maxLength: 8 }), fc.array(fc.nat()), (lengths, cuts) => {
        const payloads = lengths.map((length, i) => String(i % 10).repeat(length))
        const bytes = Buffer.concat(payloads.map(serverFrame))
        const found: string[] = []
        const read = frameReader((_opcode, buffer, start, end) =>
          found.push(buffer.toString('utf8', start, end)),
        )
        const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
        places.sort((a, b) => a - b)
        for (const [i, end] of places.entries()) read(bytes, places[i - 1] ?? 0, end)
        expect(found).toEqual(payloads)
      }),
      { numRuns: 50 },
    )
  })
})

describe('clientFrame', () => {
  it('is a frame that a server takes', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    try {
      await once(server, 'listening')
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      const got = once(server, 'connection').then(([client]) => once(client, 'message'))
      socket.write(
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cm9vbWNhc3Qgcm9vbWNhcw==\r\n\r\n',
      )
      await once(socket, 'data')
      const text = 'é'.repeat(300)
      socket.write(clientFrame(OPCODE.text, text))
      expect(String((await got)[0])).toBe(text)
      socket.destroy()
    } finally {
      for (const client of server.clients) client.terminate()
      server.close()
    }
  })
})

describe('a pace', () => {
  it('has as many events due as its times say', () => {
    const pace = { startedAt: 1_000, perSecond: 250 }
    expect([999, 1_000, 1_003, 1_004, 2_000].map((now) => dueCount(pace, now))).toEqual([
      0, 1, 1, 2, 251,
    ])
    expect(dueAt(pace, 250)).toBe(2_000)
  })
})

describe('a text', () => {
  it('has a fixed width and gives its tag back', () => {
    const tag = { sender: 7, number: 123, dueUs: 1_234_567_890 }
    expect(writeText(tag, 64)).toHaveLength(64)
    expect(readText(writeText(tag, 64))).toEqual(tag)
  })
})

describe('a cursor', () => {
  const at = (seq: number) => ({ epoch: 'a', seq })

  it.each([
    ['a:6', 'next', at(6)],
    ['a:7', 'gap', at(7)],
    ['a:5', 'again', at(5)],
    ['a:1', 'again', at(5)],
    ['b:1', 'epoch', { epoch: 'b', seq: 1 }],
    ['?', 'astray', at(5)],
  ])('at 5 sees %s as %s', (offset, verdict, cursor) => {
    expect(advance(at(5), offset)).toEqual({ verdict, cursor })
  })

  it('of an empty room has no epoch to keep to', () => {
    expect(advance({ epoch: '0', seq: 0 }, 'a:1').verdict).toBe('next')
    expect(advance({ epoch: '0', seq: 0 }, 'a:2').verdict).toBe('gap')
  })

  it('is compared within its epoch alone', () => {
    expect(hasReached(at(4), at(5))).toBe(false)
    expect(hasReached(at(5), at(5))).toBe(true)
    expect(hasReached(undefined, at(5))).toBe(false)
    expect(further(at(9), at(5))).toEqual(at(9))
    expect(further(undefined, at(5))).toEqual(at(5))
  })
})

describe('the truth of a room', () => {
  it('is what was heard first in each place', () => {
    const truth = createTruth()
    const cursor = { epoch: 'a', seq: 1 }
    expect(truth.agrees(cursor, 'one')).toBe(true)
    expect(truth.agrees(cursor, 'one')).toBe(true)
    expect(truth.agrees(cursor, 'two')).toBe(false)
    expect(truth.agrees({ epoch: 'b', seq: 1 }, 'two')).toBe(true)
  })
})
