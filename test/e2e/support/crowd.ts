import { setTimeout as pause } from 'node:timers/promises'
import { io, type Socket } from 'socket.io-client'
import type { Message } from '@roomcast/protocol'
import type { ClientOptions } from '../../support/clients.ts'
import { until } from '../../support/processes.ts'

/** How often each member says something, in milliseconds. */
const SAY_EVERY_MS = 500
/** How long a member waits for an answer before he says it again, in milliseconds. */
const ANSWER_MS = 6_000
/** How long a message may take to be acknowledged, over any number of connections, and a crowd to hear all. In milliseconds. */
const PATIENCE_MS = 60_000
const HISTORY_PAGE = 100

export type Transports = readonly ('polling' | 'websocket')[]

/** Members of one room who talk all the time and note what becomes of it. */
export interface Crowd extends AsyncDisposable {
  readonly size: number
  /** How many of them are connected by each transport now. */
  transports(): Readonly<Record<string, number>>
  /** Messages that were acknowledged so far. */
  acknowledged(): number
  /** Lets them fall silent, and resolves when each has heard everything that was acknowledged to anybody. */
  conclude(): Promise<Conclusion>
}

export interface Conclusion {
  readonly acknowledged: number
  /** Acknowledged messages that a member never got, over all members. */
  readonly lost: number
  /** Messages that a member got twice, or in another order than the log's, over all members. */
  readonly doubled: number
  /** Connections that were restored by Socket.IO's recovery. */
  readonly recovered: number
  /** Connections after the first that had to join anew. */
  readonly rejoined: number
  /** The longest time that a member was away, in milliseconds. */
  readonly longestAwayMs: number
}

interface Member {
  readonly socket: Socket
  /** Texts by the number of their message in the log. */
  readonly heard: Map<number, string>
  doubled: number
  recovered: number
  rejoined: number
  longestAwayMs: number
  isIn: boolean
}

/** What it is to be a client that does as docs/protocol.md says: stock, with the stock delays. */
function enter(url: string, options: ClientOptions & { readonly room: string }, name: string) {
  const { room, ...rest } = options
  const socket = io(url, { forceNew: true, query: { roomid: room }, ...rest })
  const member: Member = {
    socket,
    heard: new Map(),
    doubled: 0,
    recovered: 0,
    rejoined: 0,
    longestAwayMs: 0,
    isIn: false,
  }
  const live = new Set<number>()
  let lastLive = 0
  let lastOffset: string | undefined
  let leftAt: number | undefined

  socket.on('message', (message: Message, offset?: string) => {
    if (offset === undefined || message.event === 'joined') return
    const number = numberOf(offset)
    if (live.has(number) || number < lastLive) member.doubled++
    live.add(number)
    lastLive = number
    lastOffset = offset
    if (message.event === 'broadcast_say') member.heard.set(number, message.data.text)
  })
  socket.on('disconnect', () => {
    leftAt = performance.now()
    member.isIn = false
  })
  const comeIn = async (): Promise<void> => {
    const after = lastOffset
    if (socket.recovered) member.recovered++
    else {
      await insist(socket, 'join', { username: name })
      if (after !== undefined) {
        member.rejoined++
        await catchUp(member, after)
      }
    }
    member.isIn = true
    if (leftAt === undefined) return
    member.longestAwayMs = Math.max(member.longestAwayMs, performance.now() - leftAt)
    leftAt = undefined
  }
  // What breaks off because the connection did is begun again by the next one.
  socket.on('connect', () => void comeIn().catch(() => undefined))
  return member
}

async function catchUp({ socket, heard }: Member, from: string): Promise<void> {
  for (let after = from; ;) {
    const page = await insist(socket, 'history', { after, limit: HISTORY_PAGE })
    const messages = page['messages'] as readonly (Message & { readonly offset: string })[]
    for (const message of messages) {
      if (message.event !== 'broadcast_say') continue
      heard.set(numberOf(message.offset), message.data.text)
    }
    if (messages.length < HISTORY_PAGE) return
    after = String(page['offset'])
  }
}

const numberOf = (offset: string): number => Number(offset.split(':')[1])

/** Asks until it is granted; gives up when a refusal is for good, or the time is over. */
async function insist(
  socket: Socket,
  event: string,
  request: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const answer = (await socket
      .timeout(ANSWER_MS)
      .emitWithAck(event, request)
      .catch(() => ({ ok: false, code: 'unanswered', retryAfterMs: 0 }))) as {
      readonly ok: boolean
      readonly code?: string
      readonly retryAfterMs?: number
    }
    if (answer.ok) return { ...answer }
    const mayPass = answer.retryAfterMs !== undefined || answer.code === 'not_joined'
    if (!mayPass || performance.now() > deadline) {
      throw new Error(`${event} was refused: ${JSON.stringify(answer)}`)
    }
    await pause(Math.max(answer.retryAfterMs ?? 0, 50))
  }
}

/** Resolves when all of them are in and talk. They use each of the transports in turn. */
export async function gather(
  url: string,
  options: ClientOptions & { readonly room: string },
  { size, transports }: { readonly size: number; readonly transports: readonly Transports[] },
): Promise<Crowd> {
  const members = Array.from({ length: size }, (_, i) =>
    enter(
      url,
      { ...options, transports: [...(transports[i % transports.length] ?? [])] },
      `member ${i}`,
    ),
  )
  const acknowledged: string[] = []
  const over = new AbortController()
  const close = (): void => {
    over.abort()
    for (const { socket } of members) socket.disconnect()
  }

  const talk = async ({ socket }: Member, i: number): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n++) {
      const text = `${i}/${n}`
      await insist(socket, 'say', { text, id: text })
      acknowledged.push(text)
      await pause(SAY_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined)
    }
  }

  try {
    await until('a crowd', () => members.every(({ isIn }) => isIn), PATIENCE_MS)
  } catch (error) {
    close()
    throw error
  }
  const talking = Promise.all(members.map(talk))
  talking.catch(() => undefined)
  const hasHeardAll = ({ isIn, heard }: Member): boolean => {
    const texts = new Set(heard.values())
    return isIn && acknowledged.every((text) => texts.has(text))
  }
  const sum = (of: (member: Member) => number): number =>
    members.reduce((total, member) => total + of(member), 0)

  return {
    size,
    transports() {
      const counts: Record<string, number> = {}
      for (const { socket } of members) {
        const name = socket.connected ? socket.io.engine.transport.name : 'none'
        counts[name] = (counts[name] ?? 0) + 1
      }
      return counts
    },
    acknowledged: () => acknowledged.length,
    async conclude() {
      over.abort()
      await talking
      // Whoever lacks something at the end of the time has lost it: that is for the numbers to tell.
      await until('all to be heard', () => members.every(hasHeardAll), PATIENCE_MS).catch(
        () => undefined,
      )
      return {
        acknowledged: acknowledged.length,
        lost: sum(({ heard }) => {
          const texts = new Set(heard.values())
          return acknowledged.filter((text) => !texts.has(text)).length
        }),
        doubled: sum(({ doubled, heard }) => doubled + heard.size - new Set(heard.values()).size),
        recovered: sum(({ recovered }) => recovered),
        rejoined: sum(({ rejoined }) => rejoined),
        longestAwayMs: Math.max(...members.map(({ longestAwayMs }) => longestAwayMs)),
      }
    },
    async [Symbol.asyncDispose]() {
      close()
      await talking.catch(() => undefined)
    },
  }
}
