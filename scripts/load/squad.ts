import { tokenFor, type Credentials } from '../clients/credentials.ts'
import { createLatencies } from '../clients/latencies.ts'
import type { Line, LineListener } from '../clients/line.ts'
import { dueAt, dueCount, type Pace } from '../clients/pace.ts'
import type { AckAnswer } from '../clients/packets.ts'
import { READ_BUFFER_BYTES } from '../clients/raw-connection.ts'
import { openRawLine } from '../clients/raw-line.ts'
import { openStockLine } from '../clients/stock-line.ts'
import { monotonicUs, readText, writeText } from '../clients/text.ts'
import { advance, further, hasReached, type Cursor } from './cursor.ts'
import { createTruth, type Truth } from './truth.ts'

export const TRANSPORTS = ['websocket', 'polling', 'mixed'] as const
export type Transport = (typeof TRANSPORTS)[number]

export interface SquadPlan {
  readonly urls: readonly string[]
  /** Begins the names of the rooms, so that a run has rooms of its own. */
  readonly run: string
  readonly rooms: number
  /** Members `first`, `first + step`, … below `end`, of all members of the run. Member i is in room i modulo `rooms`. */
  readonly first: number
  readonly step: number
  readonly end: number
  readonly transport: Transport
  readonly localAddresses: readonly string[]
  readonly credentials: Credentials
}

/** What happened so far. Counts only grow. */
export interface Progress {
  readonly connected: number
  readonly sent: number
  readonly acknowledged: number
  /** Messages that arrived at members, all members added up. */
  readonly deliveries: number
  readonly disconnects: number
  readonly recovered: number
  /** Came back and was told that it is not recovered, so it joined anew. */
  readonly told: number
  /** Refusals of messages and joins, by their code. */
  readonly refused: Readonly<Record<string, number>>
  /** Members whose log began anew. */
  readonly epochs: number
  readonly violations: number
  /** From when a message was due to its arrival, since the last look; packed. */
  readonly latencies: string
}

export interface Finding {
  readonly violations: number
  /** The first ones in words. */
  readonly examples: readonly string[]
}

/** Members of one process. */
export interface Squad {
  /** Resolves when every member has joined. */
  connect(plan: SquadPlan): Promise<void>
  /** Every member says something in turn, so many messages a second in all. */
  talk(plan: { readonly perSecond: number; readonly textBytes: number }): void
  progress(): Progress
  /** Says nothing new; resolves, when every message is answered, with the furthest place of each room that anybody saw. */
  hush(): Promise<readonly (Cursor | null)[]>
  /** Resolves when every member has come as far, or nothing happens any more, with everything that was wrong. */
  finish(ends: readonly (Cursor | null)[]): Promise<Finding>
  /** Leaves in order. */
  close(): void
}

const CONCURRENCY = 32
const JOIN_LIMIT_MS = 60_000
const REJOIN_MS = 1_000
const TICK_MS = 1
const STEP_MS = 50
/** Nothing new for as long as this: nothing comes any more. Longer than a client takes to notice that its server is gone. */
const QUIET_MS = 15_000
const EXAMPLES_MAX = 20

interface Member {
  readonly index: number
  readonly room: number
  readonly name: string
  line: Line | undefined
  isJoined: boolean
  cursor: Cursor | undefined
  /** The number of its next message. */
  number: number
  unanswered: number
  /** Own messages by number: acknowledged at this offset and not seen yet, or seen there and not acknowledged yet. */
  readonly acknowledged: Map<number, string>
  readonly seen: Map<number, string>
  onJoined: (() => void) | undefined
}

/** Of own messages that were seen, how many wait for their acknowledgement at most: it comes soon or, after a break, never. */
const SEEN_MAX = 256

export function createSquad(): Squad {
  const readBuffer = Buffer.allocUnsafe(READ_BUFFER_BYTES)
  const latencies = createLatencies()
  const members: Member[] = []
  const truths: Truth[] = []
  const refused: Record<string, number> = {}
  const examples: string[] = []
  let sent = 0
  let acknowledged = 0
  let deliveries = 0
  let disconnects = 0
  let recovered = 0
  let told = 0
  let epochs = 0
  let violations = 0
  let rooms = 0
  let isClosing = false
  let stopTalk: (() => void) | undefined

  const violated = (member: Member, what: string): void => {
    violations++
    if (examples.length < EXAMPLES_MAX) examples.push(`${member.name}: ${what}`)
  }

  const countRefusal = ({ code = 'unknown' }: AckAnswer): void => {
    refused[code] = (refused[code] ?? 0) + 1
  }

  const join = (member: Member): void => {
    member.line?.emit('join', { username: member.name }, (answer) => {
      if (answer.ok) return
      countRefusal(answer)
      setTimeout(() => {
        if (!member.isJoined && !isClosing) join(member)
      }, answer.retryAfterMs ?? REJOIN_MS)
    })
  }

  /** The acknowledgement and the message itself, whichever comes second, must name the same place. */
  const meet = (
    member: Member,
    number: number,
    offset: string,
    others: Map<number, string>,
  ): boolean => {
    const other = others.get(number)
    if (other === undefined) return false
    others.delete(number)
    if (other !== offset) violated(member, `its message ${number} is at ${other} and at ${offset}`)
    return true
  }

  const say = (member: Member, dueUs: number, textBytes: number): void => {
    const number = member.number++
    sent++
    member.unanswered++
    const text = writeText({ sender: member.index, number, dueUs }, textBytes)
    member.line?.emit('say', { text }, (answer) => {
      member.unanswered--
      const { ok, offset } = answer
      if (!ok) countRefusal(answer)
      else if (offset === undefined) violated(member, `message ${number} has no offset`)
      else {
        acknowledged++
        if (!meet(member, number, offset, member.seen)) member.acknowledged.set(number, offset)
      }
    })
  }

  const arrived = (member: Member, offset: string, text: string | undefined): void => {
    const { verdict, cursor } = advance(member.cursor, offset)
    if (verdict === 'gap')
      violated(member, `${offset} after ${member.cursor?.seq}: some are missing`)
    if (verdict === 'again') violated(member, `${offset} after ${member.cursor?.seq}: came again`)
    if (verdict === 'astray') violated(member, `${offset} before it had joined`)
    if (verdict === 'epoch') epochs++
    member.cursor = cursor
    if (text === undefined || cursor === undefined) return
    deliveries++
    const { sender, number, dueUs } = readText(text)
    latencies.record(monotonicUs() - dueUs)
    if (!truths[member.room]?.agrees(cursor, text))
      violated(member, `${offset} says something else than to others`)
    if (sender !== member.index) return
    if (!meet(member, number, offset, member.acknowledged)) {
      if (member.seen.size >= SEEN_MAX) member.seen.clear()
      member.seen.set(number, offset)
    }
  }

  const listen = (member: Member): LineListener => ({
    up(isRecovered) {
      if (isRecovered) {
        recovered++
        member.isJoined = true
        return
      }
      if (member.cursor !== undefined) told++
      // What was said meanwhile may be missed: told is told.
      member.cursor = undefined
      member.acknowledged.clear()
      member.seen.clear()
      join(member)
    },
    down() {
      disconnects++
      member.isJoined = false
      member.unanswered = 0
    },
    message({ event, data }, offset) {
      if (offset === undefined) return
      if (event !== 'joined') {
        arrived(member, offset, event === 'broadcast_say' ? data.text : undefined)
        return
      }
      member.cursor = advance({ epoch: '', seq: 0 }, offset).cursor
      member.isJoined = true
      member.onJoined?.()
    },
    refused: (reason) => violated(member, `was refused for good: ${reason}`),
  })

  const open = (plan: SquadPlan, member: Member, token: string | undefined): void => {
    const { index } = member
    const options = {
      url: plan.urls[index % plan.urls.length] ?? '',
      room: `${plan.run}-${member.room}`,
      localAddress: plan.localAddresses[index % plan.localAddresses.length],
      token,
    }
    const listener = listen(member)
    // Rooms have members of each kind.
    const kind = plan.transport === 'mixed' ? Math.floor(index / plan.rooms) % 3 : -1
    if (plan.transport === 'websocket' || kind === 0)
      member.line = openRawLine({ ...options, readBuffer }, listener)
    else {
      const transports = kind === 1 ? ['polling', 'websocket'] : ['polling']
      member.line = openStockLine({ ...options, transports }, listener)
    }
  }

  const enter = (plan: SquadPlan, member: Member, token: string | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`${member.name} could not join within ${JOIN_LIMIT_MS / 1_000} s`)),
        JOIN_LIMIT_MS,
      )
      member.onJoined = () => {
        member.onJoined = undefined
        clearTimeout(limit)
        resolve()
      }
      open(plan, member, token)
    })

  /** Resolves when done, or when the sum that shows progress has not changed for a while. */
  const settle = async (isDone: () => boolean): Promise<void> => {
    const sum = (): number => deliveries + acknowledged + recovered + told
    let before = sum()
    let changedAt = performance.now()
    while (!isDone() && performance.now() - changedAt < QUIET_MS) {
      await new Promise((resolve) => {
        setTimeout(resolve, STEP_MS)
      })
      if (sum() !== before) changedAt = performance.now()
      before = sum()
    }
  }

  return {
    async connect(plan) {
      rooms = plan.rooms
      for (let room = 0; room < rooms; room++) truths.push(createTruth())
      for (let index = plan.first; index < plan.end; index += plan.step) {
        members.push({
          index,
          room: index % rooms,
          name: `m${index}`,
          line: undefined,
          isJoined: false,
          cursor: undefined,
          number: 0,
          unanswered: 0,
          acknowledged: new Map(),
          seen: new Map(),
          onJoined: undefined,
        })
      }
      const waiting = members.values()
      const work = async (): Promise<void> => {
        for (const member of waiting)
          await enter(plan, member, await tokenFor(plan.credentials, member.name))
      }
      await Promise.all(Array.from({ length: CONCURRENCY }, work))
    },
    talk({ perSecond, textBytes }) {
      const pace: Pace = { startedAt: monotonicUs() / 1_000, perSecond }
      let count = 0
      const timer = setInterval(() => {
        const due = dueCount(pace, monotonicUs() / 1_000)
        for (; count < due; count++) {
          const member = members[count % members.length]
          // One whose connection is broken says nothing until it is back.
          if (member?.isJoined === true) say(member, dueAt(pace, count) * 1_000, textBytes)
        }
      }, TICK_MS)
      stopTalk = () => clearInterval(timer)
    },
    progress() {
      const packed = latencies.pack()
      latencies.reset()
      return {
        connected: members.reduce((sum, { isJoined }) => sum + (isJoined ? 1 : 0), 0),
        sent,
        acknowledged,
        deliveries,
        disconnects,
        recovered,
        told,
        refused,
        epochs,
        violations,
        latencies: packed,
      }
    },
    async hush() {
      stopTalk?.()
      await settle(() => members.every(({ unanswered }) => unanswered === 0))
      const ends: (Cursor | undefined)[] = Array.from({ length: rooms })
      for (const { room, cursor, acknowledged } of members) {
        ends[room] = further(ends[room], cursor)
        for (const offset of acknowledged.values())
          ends[room] = further(ends[room], advance({ epoch: '', seq: 0 }, offset).cursor)
      }
      return ends.map((end) => end ?? null)
    },
    async finish(ends) {
      const isThere = ({ isJoined, cursor, room }: Member): boolean => {
        const end = ends[room]
        return isJoined && (end === null || end === undefined || hasReached(cursor, end))
      }
      await settle(() => members.every(isThere))
      for (const member of members) {
        const { isJoined, cursor, unanswered } = member
        const end = ends[member.room]
        if (!isJoined) violated(member, 'did not come back')
        else if (!isThere(member)) violated(member, `is at ${cursor?.seq}, others at ${end?.seq}`)
        for (const [number, offset] of member.acknowledged)
          violated(member, `its acknowledged message ${number} at ${offset} did not arrive`)
        if (unanswered > 0) violated(member, `${unanswered} messages were never answered`)
      }
      return { violations, examples }
    },
    close() {
      isClosing = true
      stopTalk?.()
      for (const { line } of members) line?.close()
    },
  }
}
