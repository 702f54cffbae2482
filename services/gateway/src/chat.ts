import {
  CLIENT_EVENTS,
  ClientError,
  refusalOf,
  ROOM_NAMESPACE_PREFIX,
  roomNamespace,
  roomOfNamespace,
  type Refusal,
} from '@roomcast/protocol'
import { countNamespace, uncountNamespace, wasClosedByClient } from './engine/connection.ts'
import { releaseHandshake } from './engine/slim.ts'
import type { CloseReason } from './facts.ts'
import type { Context } from './member/context.ts'
import { history } from './member/history.ts'
import { join } from './member/join.ts'
import { depart, leave } from './member/leave.ts'
import { members } from './member/members.ts'
import { newSession } from './member/member.ts'
import { resume } from './member/resume.ts'
import { createSay, dropEarlySays } from './member/say.ts'
import { recoveryOf, takeRestored } from './recovery.ts'
import {
  destinationOf,
  type ChatNamespace,
  type ChatServer,
  type ChatSocket,
  openSession,
  sessionOf,
} from './sockets.ts'

type Reply = (answer: object) => void

/**
 * Serves the chat's events on the main namespace and on every `/rooms/<id>`. The one place that decides how a request is answered:
 * by its acknowledgement, else a refusal by an `error` message to that socket. The connection stays.
 */
export function serveChat(io: ChatServer, context: Context): void {
  const { config, entrances, facts, floods, log } = context
  const say = createSay(context)

  const refuse = (socket: ChatSocket, ack: Reply | undefined, error: unknown): void => {
    if (!(error instanceof ClientError)) log.error({ err: error, sid: socket.id }, 'request failed')
    const refusal = refusalOf(error)
    if (ack === undefined) tellRefusal(socket, refusal)
    else if (refusal.retryAfterMs === undefined || !usesRetries(socket)) ack(refusal)
  }

  /** Runs a handler whose answer is awaited. */
  const answer = (
    socket: ChatSocket,
    ack: Reply | undefined,
    handle: () => object | Promise<object>,
  ): void => {
    void (async () => {
      try {
        floods.check(socket.conn)
        const result = await handle()
        ack?.(result)
      } catch (error) {
        refuse(socket, ack, error)
      }
    })()
  }

  // Shared by all sockets: Socket.IO calls listeners with the socket as `this`.
  function onJoin(this: ChatSocket, ...args: unknown[]): void {
    const { request, ack } = split(args)
    answer(this, ack, () => join(context, this, request))
  }
  function onLeave(this: ChatSocket, ...args: unknown[]): void {
    const { ack } = split(args)
    answer(this, ack, () => leave(context, this))
  }
  function onHistory(this: ChatSocket, ...args: unknown[]): void {
    const { request, ack } = split(args)
    answer(this, ack, () => {
      if (ack === undefined) throw new ClientError('invalid', 'history needs an acknowledgement')
      return history(context, this, request)
    })
  }
  function onMembers(this: ChatSocket, ...args: unknown[]): void {
    const { request, ack } = split(args)
    answer(this, ack, () => {
      if (ack === undefined) throw new ClientError('invalid', 'members needs an acknowledgement')
      return members(context, this, request)
    })
  }
  function onSay(this: ChatSocket, ...args: unknown[]): void {
    const { request, ack } = split(args)
    try {
      floods.check(this.conn)
      say(this, request, (result) => {
        if (result instanceof Error) refuse(this, ack, result)
        else ack?.(result)
      })
    } catch (error) {
      refuse(this, ack, error)
    }
  }
  function onAny(this: ChatSocket, event: string, ...args: unknown[]): void {
    if (KNOWN_EVENTS.has(event)) return
    const message = `no such event; there are ${CLIENT_EVENTS.join(', ')}`
    refuse(this, split(args).ack, new ClientError('not_found', message))
  }
  function onDisconnect(this: ChatSocket, reason: string): void {
    uncountNamespace(this)
    const session = sessionOf(this)
    dropEarlySays(session)
    const { member } = session
    if (member === undefined) return
    depart(context, member, isMeant(this, reason) ? 'meant' : 'broken')
  }

  const onConnection = (socket: ChatSocket): void => {
    entrances.entered(socket.conn)
    openSession(socket, newSession(destinationOf(socket)))
    socket.onAny(onAny)
    socket.on('join', onJoin)
    socket.on('leave', onLeave)
    socket.on('history', onHistory)
    socket.on('members', onMembers)
    socket.on('say', onSay)
    socket.on('disconnect', onDisconnect)
    releaseHandshake(socket)
    const restored = takeRestored(socket)
    if (restored !== undefined) resume(context, socket, restored)
  }

  const admitConnection = (socket: ChatSocket, next: (error?: Error) => void): void => {
    const outcome = recoveryOf(socket)
    if (typeof outcome === 'string') log.debug({ sid: socket.id, reason: outcome }, 'not recovered')
    // Nothing was learnt: close the connection, so that the client keeps its id and offset, and comes back with them.
    if (outcome === 'unavailable' || outcome === 'raced') socket.conn.close()
    else if (countNamespace(socket) > config.limits.roomsPerConnection) {
      uncountNamespace(socket)
      facts.refused('rooms')
      const message = `at most ${config.limits.roomsPerConnection} rooms over one connection`
      next(Object.assign(new Error(message), { data: { code: 'too_many' } }))
    } else next()
  }

  for (const namespace of [io.of('/'), roomNamespaces(io)]) {
    namespace.use(admitConnection)
    namespace.on('connection', onConnection)
  }
}

const KNOWN_EVENTS: ReadonlySet<string> = new Set(CLIENT_EVENTS)

/** Namespaces that name a room. Any other is refused by Socket.IO with "Invalid namespace", which is final for clients. */
function roomNamespaces(io: ChatServer): ChatNamespace {
  return io.of(
    (name: string, _auth: unknown, next: (error: Error | null, isAllowed: boolean) => void) => {
      const { room } = name.startsWith(ROOM_NAMESPACE_PREFIX) ? roomOfNamespace(name) : {}
      // One spelling a room: with others one connection could be its member many times.
      next(null, room !== undefined && roomNamespace(room) === name)
    },
  )
}

/** Takes an event's arguments apart: the request comes first, the acknowledgement, if any, last. */
function split(args: readonly unknown[]): { request: unknown; ack: Reply | undefined } {
  const last = args.at(-1)
  const ack = typeof last === 'function' ? (last as Reply) : undefined
  return { request: args[0] === last ? (ack === undefined ? args[0] : undefined) : args[0], ack }
}

function tellRefusal(socket: ChatSocket, { code, message, retryAfterMs }: Refusal): void {
  const { destination } = sessionOf(socket)
  socket.emit('message', {
    event: 'error',
    room: destination.kind === 'room' ? destination.room : '',
    data: { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  })
}

/**
 * Whether the client sends with Socket.IO's `retries`, which it says by `auth: {retries: true}`: any acknowledgement ends its
 * attempts, so a refusal that may pass is left unanswered.
 */
function usesRetries(socket: ChatSocket): boolean {
  return Boolean(socket.handshake.auth['retries'])
}

/** Whether a disconnect was the client's wish, as opposed to a connection that broke or was ended by us. */
function isMeant(socket: ChatSocket, reason: string): boolean {
  if (reason === 'client namespace disconnect') return true
  return reason === 'transport close' && wasClosedByClient(socket)
}

/** Engine.IO's reasons for the end of a connection, as a closed set. */
export function closeReasonOf(reason: string): CloseReason {
  switch (reason) {
    case 'client namespace disconnect':
      return 'client'
    case 'ping timeout':
      return 'ping_timeout'
    case 'parse error':
      return 'bad_packet'
    case 'forced close':
    case 'forced server close':
    case 'server shutting down':
    case 'server namespace disconnect':
      return 'server'
    default:
      return 'transport'
  }
}
