import { Writable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { createLog } from '@roomcast/runtime'
import { logOutages } from '@roomcast/roomlog'

interface Line {
  readonly level: string
  readonly msg: string
  readonly errors?: number
  readonly awayMs?: number
}

function watch() {
  const lines: Line[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Line)
      done()
    },
  })
  let now = 0
  const note = logOutages(createLog('broker', 'info', destination), () => now)
  return {
    note,
    at: (ms: number) => {
      now = ms
    },
    lines: () => lines.map(({ level, msg, errors, awayMs }) => ({ level, msg, errors, awayMs })),
  }
}
const error = new Error('ECONNREFUSED')

describe('the log of outages', () => {
  it('has one line when Redis goes away, however often it fails to come back, and one when it is back', () => {
    const { note, at, lines } = watch()
    note({ kind: 'available' })
    at(1_000)
    for (let i = 0; i < 5; i++) note({ kind: 'unavailable', error })
    at(4_000)
    note({ kind: 'available' })
    expect(lines()).toMatchObject([
      { level: 'info', msg: 'connected to Redis' },
      { level: 'error', msg: expect.stringContaining('Redis is away') },
      { level: 'info', msg: 'Redis is back', awayMs: 3_000 },
    ])
  })

  it('has one line when Redis is away from the start', () => {
    const { note, lines } = watch()
    for (let i = 0; i < 5; i++) note({ kind: 'unavailable', error })
    expect(lines()).toHaveLength(1)
  })

  it('has errors at most once a second, with how many there were', () => {
    const { note, at, lines } = watch()
    for (let ms = 0; ms <= 2_000; ms += 100) {
      at(ms)
      note({ kind: 'error', error })
    }
    expect(lines().map(({ errors }) => errors)).toEqual([1, 10, 10])
  })
})
