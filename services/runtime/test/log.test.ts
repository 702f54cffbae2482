import { expect, it } from '@jest/globals'
import { createLog } from '@roomcast/runtime'

/** What a log line of the fields is, parsed. */
function logged(fields: object): Record<string, unknown> {
  let line = ''
  const log = createLog('test', 'info', { write: (text) => (line = text) })
  log.info(fields, 'something happened')
  return JSON.parse(line) as Record<string, unknown>
}

it('an error is logged with its causes and without the command that it carries', () => {
  const refused = Object.assign(new Error('WRONGPASS'), {
    command: { name: 'auth', args: ['hunter2'] },
  })
  const err = new Error('while reading a room', {
    cause: new AggregateError([refused], 'all failed'),
  })
  const line = logged({ err })
  expect(line).toMatchObject({ msg: 'something happened', service: 'test', level: 'info' })
  expect(JSON.stringify(line)).toContain('WRONGPASS')
  expect(JSON.stringify(line)).not.toContain('hunter2')
  expect(logged({ err: refused })['err']).toMatchObject({ message: 'WRONGPASS', type: 'Error' })
  expect(JSON.stringify(logged({ err: refused }))).not.toContain('hunter2')
})

it('credentials in the usual places are not logged', () => {
  const line = logged({ headers: { authorization: 'Bearer key', 'x-roomcast-token': 'token' } })
  expect(JSON.stringify(line)).not.toMatch(/Bearer key|"token"/)
})
