/**
 * The chat of the tutorial on stock Socket.IO with its Redis adapter: what Roomcast is compared with. Same events, same shape of
 * messages, nothing kept. Environment: `ADAPTER` (classic or sharded), `REDIS_URL`, `PING_INTERVAL_MS`.
 */
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'

type Ack = (answer: object) => void

const { ADAPTER, REDIS_URL = '', PING_INTERVAL_MS } = process.env
const publisher = new Redis(REDIS_URL)
const subscriber = publisher.duplicate()
const http = createServer()
const io = new Server(http, {
  adapter:
    ADAPTER === 'sharded'
      ? createShardedAdapter(publisher, subscriber)
      : createAdapter(publisher, subscriber),
  pingInterval: Number(PING_INTERVAL_MS),
})

let ids = 0
io.on('connection', (socket) => {
  const room = String(socket.handshake.query['roomid'])
  let name = ''
  socket.on('join', async ({ username }: { username: string }, ack?: Ack) => {
    name = username
    await socket.join(room)
    const online = io.of('/').adapter.rooms.get(room)?.size ?? 0
    socket.emit('message', { event: 'joined', room, data: { username, online } })
    ack?.({ ok: true, room, username, online })
  })
  socket.on('say', ({ text }: { text: string }, ack?: Ack) => {
    const id = `stock-${(++ids).toString(36)}`
    const data = { username: name, text }
    io.to(room).emit('message', { event: 'broadcast_say', room, data, id, ts: Date.now() })
    ack?.({ ok: true, id })
  })
})
http.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on ${(http.address() as AddressInfo).port}\n`)
})
// An orderly exit, so that a profile is written.
process.on('SIGTERM', () => process.exit(0))
