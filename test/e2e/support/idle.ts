import { io, type Socket } from 'socket.io-client'
import type { ClientOptions } from '../../support/clients.ts'
import { until } from '../../support/processes.ts'

/** How long all of them may take to connect, in milliseconds. */
const CONNECT_MS = 60_000

/** Stock clients that do nothing but stay connected, and come back when they are not. */
export interface IdleClients extends Disposable {
  /** How many are connected now. */
  connected(): number
  /** How often one of them lost its connection so far. */
  moves(): number
  /** Ends all but so many. */
  keep(count: number): void
}

/** Resolves when all of them are connected, on websockets unless the options say otherwise, in rooms of ten. */
export async function connectIdle(
  url: string,
  count: number,
  options: ClientOptions = {},
): Promise<IdleClients> {
  let moves = 0
  let sockets: readonly Socket[] = Array.from({ length: count }, (_, i) =>
    io(url, {
      forceNew: true,
      transports: ['websocket'],
      query: { roomid: `idle-${Math.floor(i / 10)}` },
      ...options,
    }),
  )
  for (const [i, socket] of sockets.entries()) {
    socket.on('connect', () => {
      if (!socket.recovered) socket.emit('join', { username: `idle ${i}` })
    })
    socket.on('disconnect', (reason) => {
      if (reason !== 'io client disconnect') moves++
    })
  }
  const connected = (): number => sockets.filter((socket) => socket.connected).length
  const keep = (left: number): void => {
    for (const socket of sockets.slice(left)) socket.disconnect()
    sockets = sockets.slice(0, left)
  }
  try {
    await until(`${count} connections`, () => connected() === count, CONNECT_MS)
  } catch (error) {
    keep(0)
    throw error
  }
  return { connected, moves: () => moves, keep, [Symbol.dispose]: () => keep(0) }
}
