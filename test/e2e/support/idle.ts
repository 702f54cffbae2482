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
  /** How often one that came back was told that it is not recovered. */
  told(): number
  /** Ends all but so many. */
  keep(count: number): void
  /** Ends all but so many of each gateway's, by the instance that their session ids name. Those of other gateways stay. */
  keepEach(counts: ReadonlyMap<string, number>): void
}

/** Resolves when all of them are connected, on websockets unless the options say otherwise, in rooms of ten. */
export async function connectIdle(
  url: string,
  count: number,
  options: ClientOptions = {},
): Promise<IdleClients> {
  let moves = 0
  let told = 0
  let sockets: readonly Socket[] = Array.from({ length: count }, (_, i) =>
    io(url, {
      forceNew: true,
      transports: ['websocket'],
      query: { roomid: `idle-${Math.floor(i / 10)}` },
      ...options,
    }),
  )
  for (const [i, socket] of sockets.entries()) {
    let isKnown = false
    socket.on('connect', () => {
      if (!socket.recovered) socket.emit('join', { username: `idle ${i}` })
      if (isKnown && !socket.recovered) told++
      isKnown = true
    })
    socket.on('disconnect', (reason) => {
      if (reason !== 'io client disconnect') moves++
    })
  }
  const connected = (): number => sockets.filter((socket) => socket.connected).length
  const keepThose = (isKept: (socket: Socket, place: number) => boolean): void => {
    const { left = [], over = [] } = Object.groupBy(sockets, (socket, place) =>
      isKept(socket, place) ? 'left' : 'over',
    )
    for (const socket of over) socket.disconnect()
    sockets = left
  }
  const keep = (left: number): void => keepThose((_, place) => place < left)
  try {
    await until(`${count} connections`, () => connected() === count, CONNECT_MS)
  } catch (error) {
    keep(0)
    throw error
  }
  return {
    connected,
    moves: () => moves,
    told: () => told,
    keep,
    keepEach(counts) {
      const kept = new Map<string, number>()
      keepThose((socket) => {
        const instance = instanceOf(socket)
        const most = counts.get(instance)
        const before = kept.get(instance) ?? 0
        kept.set(instance, before + 1)
        return most === undefined || before < most
      })
    },
    [Symbol.dispose]: () => keep(0),
  }
}

/** The second part of `<random>.<instance>.<mac>`. */
function instanceOf(socket: Socket): string {
  const { id } = socket.io.engine as { readonly id?: string }
  return id?.split('.')[1] ?? ''
}
