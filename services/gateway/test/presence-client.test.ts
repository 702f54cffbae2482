import { expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import { createInternalAccess } from '@roomcast/runtime'
import { Scene } from '../../presence/test/replicas.ts'
import { until } from '../../presence/test/until.ts'
import { createPresenceClient } from '../src/presence-client.ts'

const room = RoomId.parse('small talk/%$&')
const internalTokens = ['a-token-of-the-services']
const internal = createInternalAccess(() => internalTokens)

it('a gateway hears who is in a room from a replica that knows, whichever it asks first', async () => {
  await using scene = new Scene()
  const young = await scene.presence({ internalTokens, warmupMs: 600_000 })
  const old = await scene.presence({ internalTokens })
  const gateway = scene.gateway('g', [young.url, old.url], { internalTokens })
  gateway.joined({ sid: 's', room, name: 'alice', since: 5, generation: 1 })
  await until('the count', () => gateway.counts.get(room) === 1)
  const client = await createPresenceClient({ urls: [young.url, old.url], internal })
  const alice = { name: 'alice', since: 5, gateway: 'pod-g', connections: 1 }
  for (const attempt of [1, 2, 3, 4]) {
    const answer = await client.members(room)
    expect([attempt, answer]).toEqual([attempt, { room, online: 1, users: 1, members: [alice] }])
  }
  // Who asks meanwhile shares the answer.
  expect(client.members(room)).toBe(client.members(room))
  await client.members(room)
  await client.close()
})

it.each<[string, string]>([
  ['nobody is there', 'http://127.0.0.1:1'],
  ['nobody has this name', 'http://nowhere.invalid:8090'],
])('is unavailable when %s', async (_what, url) => {
  const client = await createPresenceClient({ urls: [url], internal })
  await expect(client.members(room)).rejects.toMatchObject({ code: 'unavailable' })
  await client.close()
})

it('is unavailable when presence does not take its token', async () => {
  await using scene = new Scene()
  const { url } = await scene.presence({ internalTokens })
  const client = await createPresenceClient({
    urls: [url],
    internal: createInternalAccess(() => ['another-token-of-ours']),
  })
  await expect(client.members(room)).rejects.toMatchObject({ code: 'unavailable' })
  await client.close()
})
