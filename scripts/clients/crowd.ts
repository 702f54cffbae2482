import { createLatencies, type Latencies } from './latencies.ts'
import { dueAt, dueCount, type Pace } from './pace.ts'
import { eventPacket, PACKET, readAck, readEvent } from './packets.ts'
import { openRaw, READ_BUFFER_BYTES, type RawConnection } from './raw-connection.ts'
import { monotonicUs, readText, writeText } from './text.ts'

/** Members of one room. */
export interface Group {
  readonly room: string
  readonly members: number
  /** How many of them look at each message and its latency; the others count. The last to join. */
  readonly witnesses: number
  /** How many of them talk, in turn. The first ones. */
  readonly senders: number
  /** How many more join and then read nothing. */
  readonly stalled?: number
}

export interface JoinPlan {
  readonly url: string
  readonly groups: readonly Group[]
  /** Begins the members' names: another crowd in the same rooms has another one. */
  readonly prefix: string
  /** Members that connect at a time. */
  readonly concurrency: number
  readonly isBrowser: boolean
  readonly localAddresses: readonly string[]
}

export type TalkPlan =
  /** The next message is sent when the last witness got one: always `inFlight` are under way. One room. */
  | { readonly kind: 'closed'; readonly inFlight: number; readonly textBytes: number }
  /** At a rate, whatever becomes of the messages; each room has the same share. */
  | { readonly kind: 'open'; readonly perSecond: number; readonly textBytes: number }

/** What a crowd saw since the last mark, and so far. */
export interface Mark {
  readonly atUs: number
  /** Messages that arrived at members, all members added up, since they joined. */
  readonly deliveries: number
  readonly sent: number
  /** Of the witnesses' messages since the last mark; packed. */
  readonly latencies: string
  /** Microseconds of CPU time of this process. */
  readonly cpuUs: number
}

/** Messages of each room that were taken, in the order of the plan's groups. */
export type Taken = readonly number[]

/** Everything that must hold at the end. */
export interface Account {
  readonly members: number
  /** Messages that should have arrived at members and did not, and those that arrived too often. */
  readonly missing: number
  readonly surplus: number
  /** Witnesses' messages that were not after the sender's last one. */
  readonly disordered: number
  /** The order in which the witnesses of a room saw its messages, as a number: equal for the same order. */
  readonly orders: readonly (readonly number[])[]
  /** Since the last account. */
  readonly refused: number
  /** Messages without an acknowledgement: whether they were taken is not known. */
  readonly unanswered: number
  readonly closed: Readonly<Record<string, number>>
}

export interface Crowd {
  /** Resolves when all have joined; rejects when one can not. */
  join(plan: JoinPlan): Promise<void>
  talk(plan: TalkPlan): void
  /** Sends nothing new; resolves when everything that was said is answered, with what was taken since the crowd joined. */
  hush(): Promise<Taken>
  mark(): Mark
  /** Waits until every member has everything, or nothing has arrived for a while. */
  account(taken: Taken): Promise<Account>
  close(): void
}

/** `42["message",{"event":"broadcast_say"` differs from every other packet in these places. */
const SAY = '2["message",{"event":"broadcast_say"'
const EVENT_AT = SAY.indexOf('broadcast_say')
const SAY_AT = SAY.indexOf('say"')
const LETTER_B = 0x62
const LETTER_S = 0x73

const JOIN_ACK = 0
const TICK_MS = 1
const SETTLE_STEP_MS = 50
/** Nothing new for as long as this: nothing comes any more. A server may write one burst to thousands for many seconds. */
const QUIET_MS = 30_000
const ANSWERS_LIMIT_MS = 60_000
/** How long a saturated server may take to work off what it has been given. */
const ACCOUNT_LIMIT_MS = 60_000
const JOIN_LIMIT_MS = 30_000

interface Member {
  readonly room: Room
  readonly isWitness: boolean
  connection: RawConnection | undefined
  received: number
  /** One more than the last number of each sender; of witnesses alone. */
  readonly next: number[]
  order: number
  isStalled: boolean
  joined: (() => void) | undefined
  acks: number
}

interface Room {
  readonly index: number
  readonly name: string
  readonly senders: Member[]
  /** The number of each sender's next message. */
  readonly numbers: number[]
  turn: number
  taken: number
}

/** Members in one process, over plain websockets. */
export function createCrowd(): Crowd {
  const readBuffer = Buffer.allocUnsafe(READ_BUFFER_BYTES)
  const latencies: Latencies = createLatencies()
  const members: Member[] = []
  const rooms: Room[] = []
  const closed: Record<string, number> = {}
  let sent = 0
  let answered = 0
  let refused = 0
  let disordered = 0
  let isClosing = false
  let driver: Member | undefined
  let stopTalk: (() => void) | undefined
  let onArrival: (() => void) | undefined

  const say = (room: Room, textBytes: number, dueUs: number): void => {
    const sender = room.turn++ % room.senders.length
    const member = room.senders[sender]
    const number = room.numbers[sender] ?? 0
    room.numbers[sender] = number + 1
    const text = writeText({ sender, number, dueUs }, textBytes)
    member?.connection?.send(eventPacket(++member.acks, 'say', { text }))
    sent++
  }

  const witness = (member: Member, buffer: Buffer, start: number, end: number): void => {
    const { message } = readEvent(buffer.toString('utf8', start + 1, end))
    const { sender, number, dueUs } = readText(message.data.text ?? '')
    latencies.record(monotonicUs() - dueUs)
    // One that was left out shows in the counts; those that were refused never come.
    if (number < (member.next[sender] ?? 0)) disordered++
    member.next[sender] = number + 1
    // Any mixture will do: only equal orders have to be equal.
    member.order = (Math.imul(member.order, 31) + sender * 1_000_003 + number) | 0
    if (member === driver) onArrival?.()
  }

  const acknowledged = (member: Member, buffer: Buffer, start: number, end: number): void => {
    const { id, answer } = readAck(buffer.toString('utf8', start + 1, end))
    if (id === JOIN_ACK) {
      if (!answer.ok) throw new Error(`join was refused: ${answer.code}`)
      member.joined?.()
      return
    }
    answered++
    if (answer.ok) member.room.taken++
    else refused++
  }

  const enter = (plan: JoinPlan, member: Member, index: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`no answer to a join within ${JOIN_LIMIT_MS} ms`)),
        JOIN_LIMIT_MS,
      )
      member.joined = () => {
        member.joined = undefined
        clearTimeout(limit)
        if (member.isStalled) member.connection?.stall()
        resolve()
      }
      const name = `${plan.prefix}${String(index).padStart(6, '0')}`
      member.connection = openRaw(
        {
          url: plan.url,
          room: member.room.name,
          isBrowser: plan.isBrowser,
          localAddress: plan.localAddresses[index % plan.localAddresses.length],
          readBuffer,
        },
        {
          packet(buffer, start, end) {
            const type = buffer[start]
            if (type === PACKET.event) {
              // Every message passes here: two bytes tell a `say` from all else.
              if (buffer[start + EVENT_AT] !== LETTER_B || buffer[start + SAY_AT] !== LETTER_S)
                return
              member.received++
              if (member.isWitness) witness(member, buffer, start, end)
            } else if (type === PACKET.ack) {
              acknowledged(member, buffer, start, end)
            } else if (member.joined !== undefined) {
              // CONNECT was answered.
              member.connection?.send(eventPacket(JOIN_ACK, 'join', { username: name }))
            }
          },
          closed(reason) {
            if (isClosing) return
            closed[reason] = (closed[reason] ?? 0) + 1
            if (member.joined === undefined) return
            clearTimeout(limit)
            reject(new Error(`a member could not join: ${reason}`))
          },
        },
      )
    })

  const enterAll = async (plan: JoinPlan, list: readonly Member[]): Promise<void> => {
    const waiting = list.values()
    const start = members.length
    members.push(...list)
    let index = start
    const work = async (): Promise<void> => {
      for (const member of waiting) await enter(plan, member, index++)
    }
    await Promise.all(Array.from({ length: plan.concurrency }, work))
  }

  const settled = async (isDone: () => boolean, progress: () => number, limitMs: number) => {
    let before = progress()
    let changedAt = performance.now()
    const startedAt = changedAt
    while (!isDone() && performance.now() - startedAt < limitMs) {
      await new Promise((resolve) => {
        setTimeout(resolve, SETTLE_STEP_MS)
      })
      const now = progress()
      if (now !== before) changedAt = performance.now()
      else if (performance.now() - changedAt > QUIET_MS) return
      before = now
    }
  }

  const deliveries = (): number => members.reduce((sum, { received }) => sum + received, 0)

  return {
    async join(plan) {
      const bulk: Member[] = []
      const witnesses: Member[] = []
      for (const group of plan.groups) {
        const index = rooms.length
        const room: Room = { index, name: group.room, senders: [], numbers: [], turn: 0, taken: 0 }
        rooms.push(room)
        const stalled = group.stalled ?? 0
        for (let i = 0; i < group.members + stalled; i++) {
          const isStalled = i >= group.members
          const isWitness = !isStalled && i >= group.members - group.witnesses
          const member: Member = {
            room,
            isWitness,
            isStalled,
            connection: undefined,
            received: 0,
            next: [],
            order: 0,
            joined: undefined,
            acks: JOIN_ACK,
          }
          if (i < group.senders) room.senders.push(member)
          ;(isWitness ? witnesses : bulk).push(member)
        }
      }
      await enterAll(plan, bulk)
      await enterAll(plan, witnesses)
      driver = witnesses.at(-1)
    },
    talk(plan) {
      stopTalk?.()
      const talking = rooms.filter(({ senders }) => senders.length > 0)
      if (plan.kind === 'closed') {
        const [room] = talking
        if (room === undefined) throw new Error('nobody talks')
        onArrival = () => say(room, plan.textBytes, monotonicUs())
        for (let i = 0; i < plan.inFlight; i++) onArrival()
        stopTalk = () => {
          onArrival = undefined
        }
        return
      }
      const pace: Pace = { startedAt: monotonicUs() / 1_000, perSecond: plan.perSecond }
      let count = 0
      const timer = setInterval(() => {
        const due = dueCount(pace, monotonicUs() / 1_000)
        for (; count < due; count++) {
          const room = talking[count % talking.length]
          if (room !== undefined) say(room, plan.textBytes, dueAt(pace, count) * 1_000)
        }
      }, TICK_MS)
      stopTalk = () => clearInterval(timer)
    },
    async hush() {
      stopTalk?.()
      stopTalk = undefined
      await settled(
        () => answered === sent,
        // A server that works off a backlog answers last.
        () => answered + deliveries(),
        ANSWERS_LIMIT_MS,
      )
      return rooms.map(({ taken }) => taken)
    },
    mark() {
      const { user, system } = process.cpuUsage()
      const packed = latencies.pack()
      latencies.reset()
      return {
        atUs: monotonicUs(),
        deliveries: deliveries(),
        sent,
        latencies: packed,
        cpuUs: user + system,
      }
    },
    async account(taken) {
      const due = (member: Member): number => taken[member.room.index] ?? 0
      const readers = members.filter(({ isStalled }) => !isStalled)
      await settled(
        () => readers.every((member) => member.received >= due(member)),
        deliveries,
        ACCOUNT_LIMIT_MS,
      )
      let missing = 0
      let surplus = 0
      for (const member of readers) {
        missing += Math.max(0, due(member) - member.received)
        surplus += Math.max(0, member.received - due(member))
      }
      const orders: number[][] = rooms.map(() => [])
      for (const { isWitness, room, order } of readers)
        if (isWitness) orders[room.index]?.push(order)
      const unanswered = sent - answered
      const refusals = refused
      refused = 0
      return {
        members: readers.length,
        missing,
        surplus,
        disordered,
        orders,
        refused: refusals,
        unanswered,
        closed,
      }
    },
    close() {
      isClosing = true
      stopTalk?.()
      for (const { connection } of members) connection?.destroy()
    },
  }
}
