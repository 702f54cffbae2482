import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parseOffset } from '@roomcast/protocol'
import {
  JSON_TYPE,
  newRoom,
  roomPath,
  startTestBroker,
  type StartedBroker,
} from '../started-broker.ts'

let started: StartedBroker
beforeAll(async () => {
  started = await startTestBroker()
})
afterAll(() => started[Symbol.asyncDispose]())

describe('DELETE /v1/rooms/{room}', () => {
  it('deletes the messages; the numbers go on', async () => {
    const room = newRoom()
    await started.say(room, '1', '2')
    const deleted = await started.get(roomPath(room), { method: 'DELETE' })
    expect(deleted.status).toBe(204)
    expect((await started.get(`${roomPath(room)}/messages`)).body.messages).toEqual([])
    const [offset] = await started.say(room, '3')
    expect(parseOffset(offset ?? '')?.seq).toBe(3)
  })

  it('takes a content type without a body, as some clients send', async () => {
    const room = newRoom()
    await started.say(room, '1')
    const headers = { 'content-type': JSON_TYPE }
    expect(await started.get(roomPath(room), { method: 'DELETE', headers })).toMatchObject({
      status: 204,
    })
  })

  it('answers not_found for a room in which nothing was said', async () => {
    expect(await started.get(roomPath(newRoom()), { method: 'DELETE' })).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    })
  })
})
