import { afterAll, describe, expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import { createMemoryLog, createRedisLog, type RoomLog } from '@roomcast/roomlog'
import { createLog } from '@roomcast/runtime'
import type { Namespace } from 'socket.io'
import type { RecoveryResult } from '../src/facts.ts'
import { createRecovery, recoveryOf } from '../src/recovery.ts'
import type { ChatSocket } from '../src/sockets.ts'

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())

const namespace = { name: '/', sockets: new Map() } as unknown as Namespace
const room = RoomId.parse('lobby')
const session = {
  pid: 'private',
  sid: 'public',
  namespace: '/',
  room,
  name: 'alice',
  since: 1,
  owner: 'gone',
  generation: 1,
}

interface Made {
  readonly sid: string
  readonly pid: string
  readonly data: object
}

function recoveryFrom(roomLog: RoomLog) {
  stack.defer(() => roomLog.close())
  const counted: RecoveryResult[] = []
  const recovery = createRecovery({
    roomLog,
    instance: 'here',
    maxMessages: 10,
    restoringFor: () => undefined,
    facts: () => ({ recovery: (result) => counted.push(result) }),
    log: createLog('test', 'silent'),
  })
  const restore = (offset: string) =>
    recovery.restore(namespace, session.pid, offset) as Promise<Made>
  /** The socket that Socket.IO would make of it. */
  const socketOf = ({ data }: Made) => ({ data, recovered: true }) as unknown as ChatSocket
  return { counted, restore, socketOf }
}

describe('a client that asks for its session', () => {
  it('gets it although another attempt of its own takes it in the same moment', async () => {
    const log = createMemoryLog()
    await log.sessions.save([session])
    const { counted, restore } = recoveryFrom(log)
    const made = await Promise.all([restore('0:0'), restore('0:0'), restore('0:0')])
    expect(made.map(({ sid, pid }) => [sid, pid])).toEqual(
      Array.from({ length: 3 }, () => ['public', 'private']),
    )
    expect(await log.sessions.find(session.pid)).toMatchObject({ owner: 'here', generation: 4 })
    expect(counted).toEqual([])
  })

  it('becomes a new one when there is none, and its socket knows why', async () => {
    const { counted, restore, socketOf } = recoveryFrom(createMemoryLog())
    const made = await restore('0:0')
    const socket = socketOf(made)
    expect(made.sid).not.toBe('public')
    expect(made.pid).toMatch(/^[\w-]{20}$/)
    expect(recoveryOf(socket)).toBe('expired')
    expect(socket.recovered).toBe(false)
    expect(counted).toEqual(['expired'])
  })

  it('is told apart in each of its attempts while the store is away', async () => {
    const { restore, socketOf } = recoveryFrom(createRedisLog({ url: 'redis://127.0.0.1:1' }))
    const made = await Promise.all([restore('0:0'), restore('0:0')])
    expect(made.map((one) => recoveryOf(socketOf(one)))).toEqual(['unavailable', 'unavailable'])
  })
})
