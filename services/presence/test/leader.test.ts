import { describe, expect, it } from '@jest/globals'
import { createInternalAccess } from '@roomcast/runtime'
import { followPeers, REPLICA_PATH, type Leadership } from '../src/leader.ts'
import { get, Scene } from './replicas.ts'
import { until } from './until.ts'

async function idOf(url: string): Promise<string> {
  return String((await get(url + REPLICA_PATH)).body['replica'])
}

async function follow(peers: readonly string[], url: string): Promise<Leadership> {
  return followPeers({
    peers,
    replica: await idOf(url),
    internal: createInternalAccess(() => []),
    clock: () => performance.now(),
    intervalMs: 20,
  })
}

describe('replicas that know each other by a list', () => {
  it('are led by the first that answers', async () => {
    await using scene = new Scene()
    const replicas = [await scene.presence(), await scene.presence(), await scene.presence()]
    const [first, second, third] = replicas.toSorted((a, b) => (a.url < b.url ? -1 : 1))
    if (first === undefined || second === undefined || third === undefined) throw new Error()
    // In any order: it is sorted.
    const peers = [third.url, first.url, second.url]
    const [l1, l2, l3] = await Promise.all([
      follow(peers, first.url),
      follow(peers, second.url),
      follow(peers, third.url),
    ])
    await until('the first leads', () => l1.isLeader())
    expect([l2.isLeader(), l3.isLeader()]).toEqual([false, false])
    await l1.close()
    expect(l1.isLeader()).toBe(false)
    await first.close()
    await until('the second leads', () => l2.isLeader())
    expect(l3.isLeader()).toBe(false)
    await scene.presence({ port: first.port })
    await until('the second leads no more', () => !l2.isLeader())
    await Promise.all([l2.close(), l3.close()])
  })

  it('tell who they are to each other alone', async () => {
    await using scene = new Scene()
    const internalToken = 'a-token-of-the-cluster'
    const { url } = await scene.presence({ internalTokens: [internalToken] })
    expect((await get(url + REPLICA_PATH)).status).toBe(401)
    const known = await get(url + REPLICA_PATH, { 'x-roomcast-token': internalToken })
    expect(known).toMatchObject({ status: 200, body: { replica: expect.any(String) } })
    const { body } = await get(`${url}/openapi.json`)
    expect(Object.keys(body['paths'] as object)).not.toContain(REPLICA_PATH)
  })
})
