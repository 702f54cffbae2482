import {
  roomNamespace,
  RoomId,
  type Joined,
  type Message,
  type Refusal,
  type Said,
} from '@roomcast/protocol'
import { io, type Socket } from 'socket.io-client'
import type { ClientOptions } from '../../test/support/clients.ts'
import { tokenFor, type Credentials } from '../clients/credentials.ts'
import type { Acknowledged, Entry, MemberRecord } from './checks.ts'
import type { RefusedSay } from './refusals.ts'

/** How long an answer may take before a request is repeated: longer than a gateway takes to give a message up. */
const ANSWER_TIMEOUT_MS = 6_000
/** Between attempts to join, and to look whether a sender may go on. */
const STEP_MS = 100

const TRANSPORTS = [['websocket'], ['polling'], ['polling', 'websocket']] as const

/** A refusal that repeats of the same request can not turn into success. `not_joined` passes: a join is under way. */
const isFinal = ({ code, retryAfterMs }: Refusal): boolean =>
  retryAfterMs === undefined && code !== 'not_joined'

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

/** What a member went through. */
export interface Experiences {
  disconnects: number
  /** Came back as the same member. */
  recovered: number
  /** Was told that it is not recovered, having been a member before. */
  told: number
  /** Refusals of messages, each repeated until it was taken. */
  refused: number
  /** Messages without an answer in time, repeated as well. */
  unanswered: number
  /** Attempts to connect that failed, each followed by another one. */
  failedAttempts: number
}

export function noExperiences(): Experiences {
  return {
    disconnects: 0,
    recovered: 0,
    told: 0,
    refused: 0,
    unanswered: 0,
    failedAttempts: 0,
  }
}

/** From the end of a connection, in milliseconds since 1970, until the member is in its room again. */
export interface Absence {
  readonly closedAt: number
  /** Undefined while it lasts. */
  backAfterMs: number | undefined
}

export interface ChaosMember {
  readonly record: MemberRecord
  /** Each time that it was told that it was not recovered: the id that it got, and for how long it had been away. */
  readonly losses: readonly { readonly sid: string; readonly awayMs: number }[]
  readonly experiences: Readonly<Experiences>
  /** Each time that its connection ended, in order. */
  readonly absences: readonly Absence[]
  /** Each message that was refused and said again, in order. */
  readonly refusals: readonly RefusedSay[]
  /** The transport that it has now. */
  readonly transports: readonly string[]
  /** Connected, and in its room. */
  isPresent(): boolean
  /** Refusals that should not have been. */
  readonly faults: readonly string[]
  /** Says texts until told to stop, one after another, each repeated under its id until it is acknowledged. */
  talk(everyMs: () => number): void
  /** Says nothing new any more; resolves when the last one is acknowledged. */
  hush(): Promise<void>
  /** Says one more. */
  say(text: string): Promise<void>
  /** The message that waits for its acknowledgement. */
  pending(): string | undefined
  close(): void
}

/**
 * A stock client that joins again whenever it is told that it was not recovered, and does nothing else to get back what it missed.
 * `index` chooses the transports, and whether the room is named by namespace. Its user, where tokens are required, is its name. It comes
 * back sooner than stock unless `options` say otherwise.
 */
export function startMember(
  url: string,
  room: string,
  index: number,
  credentials: Credentials,
  options: ClientOptions = {},
): ChaosMember {
  const transports = TRANSPORTS[index % TRANSPORTS.length] ?? TRANSPORTS[0]
  const isNamespaced = index % 5 === 0
  // Tells in a violation what kind of client it happened to.
  const name = `${transports.join('+')} ${index}${isNamespaced ? ' by namespace' : ''}`
  const socket: Socket = io(isNamespaced ? url + roomNamespace(RoomId.parse(room)) : url, {
    transports: [...transports],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 1_000,
    ...options,
    ...(isNamespaced ? {} : { query: { roomid: room } }),
    ...(credentials.kind === 'none'
      ? {}
      : { auth: (give) => void tokenFor(credentials, name).then((token) => give({ token })) }),
  })
  const stretches: { from: string | undefined; entries: Entry[] }[] = []
  const acknowledged: Acknowledged[] = []
  const faults: string[] = []
  const losses: { sid: string; awayMs: number }[] = []
  const absences: Absence[] = []
  const refusals: RefusedSay[] = []
  const experiences = noExperiences()
  let isMember = false
  let wasConnected = false
  let lostAt = 0
  let isClosed = false
  let isHushed = false
  let pending: string | undefined
  let talking: Promise<void> = Promise.resolve()

  const ask = async <T extends { ok: true }>(
    event: string,
    request: object,
  ): Promise<T | Refusal | undefined> => {
    try {
      return (await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, request)) as T | Refusal
    } catch {
      // No answer in time, or the connection ended: unknown, so asked again.
      return undefined
    }
  }

  const join = async (id: string | undefined): Promise<void> => {
    while (!isClosed && socket.connected && socket.id === id && !isMember) {
      const answer = await ask<Joined>('join', { username: name })
      if (answer?.ok === true) return
      if (answer !== undefined && isFinal(answer)) faults.push(`join: ${answer.code}`)
      await pause(STEP_MS)
    }
  }

  const isBack = (): void => {
    const last = absences.at(-1)
    if (last !== undefined) last.backAfterMs ??= Date.now() - last.closedAt
  }

  socket.on('connect', () => {
    wasConnected = true
    if (socket.recovered) {
      experiences.recovered++
      isBack()
      return
    }
    if (stretches.at(-1)?.from !== undefined) {
      experiences.told++
      losses.push({ sid: socket.id ?? '', awayMs: Date.now() - lostAt })
    }
    stretches.push({ from: undefined, entries: [] })
    isMember = false
    void join(socket.id)
  })
  socket.on('disconnect', () => {
    // Also told of an attempt that ended before it was a connection.
    if (wasConnected) {
      experiences.disconnects++
      lostAt = Date.now()
      if (absences.at(-1)?.backAfterMs !== undefined || absences.length === 0)
        absences.push({ closedAt: lostAt, backAfterMs: undefined })
    }
    wasConnected = false
  })
  // Final for stock clients, so nothing that passes may cause it.
  socket.on('connect_error', (error) => {
    if (socket.active) experiences.failedAttempts++
    else faults.push(`connection: ${error.message}`)
  })
  socket.on('message', (message: Message, offset?: string) => {
    const stretch = stretches.at(-1)
    if (stretch === undefined || offset === undefined) return
    if (message.event === 'joined') {
      stretch.from = offset
      isMember = true
      isBack()
      return
    }
    stretch.entries.push({ offset, label: labelOf(message), id: message.id })
  })

  const say = async (text: string): Promise<void> => {
    const id = `${name} ${text}`
    pending = id
    while (!isClosed) {
      if (!isMember) {
        await pause(STEP_MS)
        continue
      }
      const answer = await ask<Said>('say', { text: id, id })
      if (answer?.ok === true) {
        acknowledged.push({ id, offset: answer.offset })
        break
      }
      if (answer === undefined) {
        experiences.unanswered++
        continue
      }
      experiences.refused++
      refusals.push({ code: answer.code, message: answer.message, at: Date.now() })
      if (isFinal(answer)) faults.push(`say: ${answer.code}`)
      await pause(answer.retryAfterMs ?? STEP_MS)
    }
    pending = undefined
  }

  return {
    record: { name, room, stretches, acknowledged },
    losses,
    experiences,
    absences,
    refusals,
    transports,
    faults,
    isPresent: () => socket.connected && isMember,
    talk(everyMs) {
      talking = (async () => {
        for (let n = 1; !isHushed && !isClosed; n++) {
          await say(String(n))
          await pause(everyMs())
        }
      })()
    },
    hush() {
      isHushed = true
      return talking
    },
    say,
    pending: () => pending,
    close() {
      isClosed = true
      socket.disconnect()
    },
  }
}

/** One line for what a logged message says. */
export function labelOf(message: { readonly event: string; readonly data: object }): string {
  const { username = '', text = '' } = message.data as { username?: string; text?: string }
  return `${message.event} ${username} ${text}`.trim()
}
