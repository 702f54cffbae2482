import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import ioV2 from 'socket.io-client-v2'
import { roomNamespace, RoomId, type Message } from '@roomcast/protocol'
import { until, within, PATIENCE_MS } from './processes.ts'

/** What a client got, in order. */
export interface Received {
  readonly message: Message
  readonly offset: string | undefined
}

export interface TestClient {
  readonly socket: Socket
  readonly received: readonly Received[]
  /** Texts of `broadcast_say`, in order of arrival. */
  texts(): string[]
  /** Resolves with the first message, past or future, for which the condition holds. */
  got(what: string, condition: (message: Message) => boolean): Promise<Received>
  /** Emits with an acknowledgement. */
  ask<T = Record<string, unknown>>(event: string, ...args: unknown[]): Promise<T & { ok: boolean }>
  close(): void
}

export interface ClientOptions extends Partial<ManagerOptions & SocketOptions> {
  /** Room in the main namespace, by query. */
  readonly room?: string
  /** Room by namespace. */
  readonly namespace?: string
  /** The protocol's generation: 4 by default, or 2 for an old client. */
  readonly generation?: 2 | 4
}

/** A stock Socket.IO client, connected. */
export async function connectClient(url: string, options: ClientOptions = {}): Promise<TestClient> {
  const { room, namespace, generation = 4, ...rest } = options
  const path = namespace === undefined ? '' : roomNamespace(RoomId.parse(namespace))
  const settings = {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
    ...(room === undefined ? {} : { query: { roomid: room } }),
    ...rest,
  }
  const socket =
    generation === 4 ? io(url + path, settings) : (ioV2(url + path, settings) as Socket)
  const received: Received[] = []
  socket.on('message', (message: Message, offset?: string) => received.push({ message, offset }))
  const client: TestClient = {
    socket,
    received,
    texts: () =>
      received.flatMap(({ message }) =>
        message.event === 'broadcast_say' ? [message.data.text] : [],
      ),
    got: (what, condition) => until(what, () => received.find(({ message }) => condition(message))),
    ask: (event, ...args) =>
      within(
        PATIENCE_MS,
        `an answer to ${event}`,
        new Promise((resolve) => {
          socket.emit(event, ...args, resolve)
        }),
      ),
    close: () => void socket.disconnect(),
  }
  try {
    await until(`a connection to ${url}`, () => socket.connected)
  } catch (error) {
    client.close()
    throw error
  }
  return client
}

/** A stock client that has joined a room. */
export async function joinRoom(
  url: string,
  room: string,
  username: string,
  options: ClientOptions = {},
): Promise<TestClient> {
  const client = await connectClient(
    url,
    options.namespace === undefined ? { room, ...options } : options,
  )
  const answer = await client.ask('join', { username })
  if (answer.ok) return client
  client.close()
  throw new Error(`join was refused: ${JSON.stringify(answer)}`)
}

export const says = (text: string) => (message: Message) =>
  message.event === 'broadcast_say' && message.data.text === text
