import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { RoomId } from '@roomcast/protocol'
import * as fc from 'fast-check'
import { Server } from 'socket.io'
import { io as connect, type Socket } from 'socket.io-client'
import connectV2 from 'socket.io-client-v2'
import { until } from '../../../test/support/processes.ts'
import type { Facts } from '../src/facts.ts'
import {
  countMessage,
  createFanout,
  NEW_RECEIVER,
  type Receiver,
  type RoomFanout,
} from '../src/fanout.ts'
import type { ChatServer, ChatSocket } from '../src/sockets.ts'

const ROOM = RoomId.parse('order')
const SLOW_BYTES = 1_048_576

let io: ChatServer
let url: string
const slow: ChatSocket[] = []
const written: ['direct' | 'engine', number][] = []
const clients = new Set<Socket>()
/** Who waits for its server side, by namespace and client. */
const connecting = new Map<string, (socket: ChatSocket) => void>()

beforeAll(async () => {
  const http = createServer()
  io = new Server(http, { perMessageDeflate: false, allowEIO3: true, pingInterval: 50 })
  for (const namespace of [io.of('/'), io.of(/^\/rooms\//)])
    namespace.on('connection', (socket) => {
      const key = `${socket.nsp.name} ${String(socket.handshake.query['client'])}`
      connecting.get(key)?.(socket)
    })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
})
afterEach(() => {
  for (const client of clients) client.disconnect()
  clients.clear()
  slow.length = 0
  written.length = 0
})
afterAll(() => io.close())

function openRoom(
  pacing = { rest: 8, maxDelayMs: 25 },
  slowClientBytes = SLOW_BYTES,
  clock = () => performance.now(),
): RoomFanout<Receiver> {
  const facts: Pick<Facts, 'delivered' | 'deliveryLatency'> = {
    delivered: (path, messages) => void written.push([path, messages]),
    deliveryLatency: () => undefined,
  }
  return createFanout({
    pacing,
    slowClientBytes,
    facts: facts as Facts,
    now: Date.now,
    clock,
    onSlow: (socket) => void slow.push(socket),
  }).open()
}

const KINDS = {
  websocket: { transports: ['websocket'], namespace: '/' },
  polling: { transports: ['polling'], namespace: '/' },
  upgrading: { transports: ['polling', 'websocket'], namespace: '/' },
  namespace: { transports: ['websocket'], namespace: `/rooms/${ROOM}` },
  'v2 websocket': { transports: ['websocket'], namespace: '/' },
  'v2 polling': { transports: ['polling'], namespace: '/' },
} as const
type Kind = keyof typeof KINDS

/** Stands for a message to one member alone. */
const OWN = 'own'

/** A client whose server side is admitted to the room the moment it is there: an upgrade comes in the midst of what follows. */
async function admit(room: RoomFanout<Receiver>, kind: Kind) {
  const { transports, namespace } = KINDS[kind]
  const id = String(connecting.size)
  const admitted = new Promise<Receiver>((resolve) => {
    connecting.set(`${namespace} ${id}`, (socket) => {
      const receiver: Receiver = { socket, ...NEW_RECEIVER }
      room.admit(receiver)
      resolve(receiver)
    })
  })
  const options = {
    transports: [...transports],
    query: { client: id },
    forceNew: true,
    reconnection: false,
  }
  const client = kind.startsWith('v2')
    ? (connectV2(url + namespace, options) as Socket)
    : connect(url + namespace, options)
  clients.add(client)
  const got: string[] = []
  client.on(
    'message',
    ({ event, data }: { event: string; data: { text?: string; online?: number } }) => {
      got.push(event === 'error' ? OWN : (data.text ?? String(data.online)))
    },
  )
  const receiver = await admitted
  return {
    client,
    socket: receiver.socket,
    receiver,
    got,
    /** The room's messages since it is a member. */
    due: [] as string[],
    /** For each message of its own, how many of the room's were delivered before. */
    own: [] as number[],
  }
}
type Admitted = Awaited<ReturnType<typeof admit>>

/** Stops and continues reading at the client's own TCP socket. */
function reading({ client }: Admitted, isReading: boolean): void {
  const { ws } = client.io.engine.transport as unknown as {
    ws?: { _socket?: { pause(): void; resume(): void } }
  }
  ws?._socket?.[isReading ? 'resume' : 'pause']()
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('deliver'),
      count: fc.integer({ min: 1, max: 20 }),
      // The largest fill what the kernel takes for a reader that stands still.
      size: fc.oneof(fc.nat(300), fc.nat(300), fc.constant(60_000)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('tell') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('emit') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('turn') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stall'), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('read'), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('admit'),
      kind: fc.constantFrom(...(Object.keys(KINDS) as Kind[])),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove'), which: fc.nat() }) },
) as fc.Arbitrary<
  | { do: 'deliver'; count: number; size: number }
  | { do: 'tell' | 'emit' | 'turn' }
  | { do: 'stall' | 'read' | 'remove'; which: number }
  | { do: 'admit'; kind: Kind }
>

/** What passes from one look at the clock to the next, in milliseconds: with the longest a round stops after each member. */
const tick = fc.constantFrom(0.01, 1, 5)

/** Delivers a message whose text is its number. */
const sayIn =
  (room: RoomFanout<Receiver>) =>
  (seq: number): void => {
    const payload = JSON.stringify({ event: 'broadcast_say', data: { text: `${seq}` } })
    room.deliver({ epoch: 'e', entries: [{ seq, payload }] })
  }

it('every member gets every message once and in the one order, however it is connected and whatever happens meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 80 }), tick, async (steps, ms) => {
      let time = 0
      const room = openRoom(undefined, Infinity, () => (time += ms))
      const present = await Promise.all(
        (Object.keys(KINDS) as Kind[]).map((kind) => admit(room, kind)),
      )
      const gone: Admitted[] = []
      let seq = 0
      const expectOf = (text: string): void => present.forEach(({ due }) => due.push(text))
      for (const now of steps) {
        switch (now.do) {
          case 'deliver': {
            const entries = Array.from({ length: now.count }, () => {
              const text = `${++seq} ${'漢'.repeat(now.size)}`
              expectOf(text)
              return { seq, payload: JSON.stringify({ event: 'broadcast_say', data: { text } }) }
            })
            room.deliver({ epoch: 'e', entries, at: Date.now() })
            break
          }
          case 'tell':
            room.tell(countMessage(ROOM, ++seq))
            expectOf(String(seq))
            break
          case 'emit':
            for (const member of present) {
              member.socket.emit('message', {
                event: 'error',
                room: '',
                data: { code: 'busy', message: '' },
              })
              member.own.push(member.due.length)
            }
            break
          case 'turn':
            await turn()
            break
          case 'stall':
          case 'read': {
            const member = present[now.which % present.length]
            if (member !== undefined) reading(member, now.do === 'read')
            break
          }
          case 'admit':
            present.push(await admit(room, now.kind))
            break
          case 'remove': {
            // What waits for the next round may or may not be for one who leaves before it.
            const [member] = present.splice(now.which % present.length, 1)
            if (member === undefined) break
            room.remove(member.receiver)
            gone.push(member)
          }
        }
      }
      for (const member of [...present, ...gone]) reading(member, true)
      await until('everybody to have everything', () =>
        present.every(({ got, due, own }) => got.length >= due.length + own.length),
      )
      for (const { got, due, own } of present) {
        expect(got.filter((text) => text !== OWN)).toEqual(due)
        expect(got.filter((text) => text === OWN)).toHaveLength(own.length)
        // Its own may overtake what waits for a round, and nothing that was delivered later may overtake them.
        let before = 0
        let seen = 0
        for (const text of got) {
          if (text !== OWN) before++
          else expect(before).toBeLessThanOrEqual(own[seen++] ?? 0)
        }
      }
      for (const { got, due } of gone) {
        const texts = got.filter((text) => text !== OWN)
        expect(texts).toEqual(due.slice(0, texts.length))
      }
      expect(slow).toEqual([])
      room.close()
      for (const { client } of [...present, ...gone]) client.disconnect()
    }),
    { numRuns: 6, endOnFailure: true },
  )
}, 60_000)

it('members on plain websockets get what came in one turn by one write each', async () => {
  const room = openRoom()
  const members = await Promise.all([
    admit(room, 'websocket'),
    admit(room, 'namespace'),
    admit(room, 'v2 websocket'),
  ])
  for (let seq = 1; seq <= 5; seq++) sayIn(room)(seq)
  await turn()
  expect(written).toEqual([
    ['direct', 5],
    ['direct', 5],
    ['direct', 5],
  ])
  await until('all to have it', () => members.every(({ got }) => got.length === 5))
})

it('a room that rests after a costly round tells all that came meanwhile in the next one', async () => {
  const room = openRoom({ rest: 1_000_000, maxDelayMs: 50 })
  const member = await admit(room, 'websocket')
  const say = sayIn(room)
  const started = performance.now()
  say(1)
  await turn()
  expect(written).toEqual([['direct', 1]])
  for (let seq = 2; seq <= 9; seq++) {
    say(seq)
    await turn()
  }
  await until('the second round', () => written.length === 2)
  expect(performance.now() - started).toBeGreaterThanOrEqual(49)
  expect(written).toEqual([
    ['direct', 1],
    ['direct', 8],
  ])
  await until('all', () => member.got.length === 9)
  expect(member.got).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9'])
})

it('a long round lets other things happen, and whoever it comes to later gets what arrived meanwhile by the same write', async () => {
  let time = 0
  const room = openRoom({ rest: 0, maxDelayMs: 0 }, SLOW_BYTES, () => ++time)
  const members = await Promise.all(Array.from({ length: 12 }, () => admit(room, 'websocket')))
  const say = sayIn(room)
  say(1)
  await turn()
  const early = written.length
  expect(early).toBeGreaterThan(0)
  expect(early).toBeLessThan(members.length)
  say(2)
  const late = await admit(room, 'websocket')
  await until('all to have both', () => members.every(({ got }) => got.length === 2))
  for (const { got } of members) expect(got).toEqual(['1', '2'])
  const both = written.filter(([, count]) => count === 2)
  expect(both.length).toBeGreaterThan(0)
  expect(both.length).toBeLessThanOrEqual(members.length - early)
  expect(written.length).toBe(2 * members.length - both.length)
  say(3)
  await until('the last to have what came after it alone', () => late.got.length === 1)
  expect(late.got).toEqual(['3'])
})

it('one who is admitted while messages wait gets those after it alone', async () => {
  const room = openRoom({ rest: 1_000_000, maxDelayMs: 50 })
  const first = await admit(room, 'websocket')
  const second = await admit(openRoom(), 'websocket')
  const say = sayIn(room)
  say(1)
  say(2)
  room.admit(second.receiver)
  say(3)
  await until('the round', () => first.got.length === 3 && second.got.length === 1)
  expect(second.got).toEqual(['3'])
  say(4)
  await until('the next round', () => second.got.length === 2)
  expect(second.got).toEqual(['3', '4'])
})

it('a reader that stands still is ended when its unsent bytes pass the limit; the others get everything', async () => {
  const room = openRoom({ rest: 0, maxDelayMs: 0 })
  const still = await admit(room, 'websocket')
  const others = await Promise.all([admit(room, 'websocket'), admit(room, 'websocket')])
  reading(still, false)
  const text = 'x'.repeat(50_000)
  let seq = 0
  await until('the slow one to be found', async () => {
    room.deliver({
      epoch: 'e',
      entries: [
        { seq: ++seq, payload: JSON.stringify({ event: 'broadcast_say', data: { text } }) },
      ],
    })
    await turn()
    return slow.length > 0
  })
  expect(slow).toEqual([still.socket])
  await until('the others to have all', () => others.every(({ got }) => got.length === seq))
  expect(still.socket.connected).toBe(false)
})

it('a room that its last member leaves in the midst of a round, because it reads too slowly, closes', async () => {
  const room = openRoom({ rest: 0, maxDelayMs: 0 })
  const still = await admit(room, 'websocket')
  let isClosed = false
  still.socket.on('disconnect', () => {
    room.remove(still.receiver)
    room.close()
    isClosed = true
  })
  reading(still, false)
  const payload = JSON.stringify({ event: 'broadcast_say', data: { text: 'x'.repeat(50_000) } })
  for (let seq = 1; !isClosed; seq++) {
    room.deliver({ epoch: 'e', entries: [{ seq, payload }] })
    await turn()
  }
  expect(slow).toEqual([still.socket])
  reading(still, true)
})
