import { ClientError, type RoomId } from '@roomcast/protocol'
import { LogUnavailable, RoomFeed, type RoomLog, type Run } from '@roomcast/roomlog'
import type { Log } from '@roomcast/runtime'
import type { Facts } from './facts.ts'
import { countMessage, type Fanout, type RoomFanout } from './fanout.ts'
import type { Member } from './member/member.ts'
import type { RoomRate } from './room-rate.ts'

/** How often the heads of all rooms are compared with what was delivered, in milliseconds. It also keeps their numbers alive. */
const COMPARE_INTERVAL_MS = 10_000

/** A room that has members on this gateway. */
export interface LocalRoom {
  readonly id: RoomId
  /** Follows the room's log; its cursor is where a new member's live messages begin. */
  readonly feed: RoomFeed
  readonly fanout: RoomFanout<Member>
  size: number
  /** Members in the whole cluster as presence last told, 0 before. */
  clusterCount: number
  /** Undefined when there is no limit. */
  readonly rate: RoomRate | undefined
}

/** The rooms with members here: each is followed while it has one. */
export interface Rooms {
  /**
   * Opens the room, if it is not, and holds it while `visit` runs; `visit` may admit one member, at the feed's cursor of that moment.
   * Throws `ClientError` `unavailable` when the log is away.
   */
  enter(
    id: RoomId,
    visit: (room: LocalRoom, admit: (member: Member) => void) => void | Promise<void>,
  ): Promise<void>
  leave(member: Member): void
  get(id: RoomId): LocalRoom | undefined
  all(): Iterable<LocalRoom>
  /** How many members the room has, as far as is known here. */
  online(room: LocalRoom): number
  /** Takes over counts from presence and tells the members. */
  setCounts(counts: readonly (readonly [RoomId, number])[]): void
  members(): number
  count(): number
  close(): void
}

interface Opening {
  readonly opened: Promise<LocalRoom>
  /** Entries under way and members: the room closes when both are 0. */
  holders: number
}

export function createRooms(options: {
  readonly roomLog: RoomLog
  readonly fanout: Fanout<Member>
  readonly facts: Facts
  readonly log: Log
  /** The rate of a room that opens. */
  readonly newRate: () => RoomRate | undefined
  /** The last member left: nothing more will come from here. */
  readonly onClosed: (room: RoomId) => void
}): Rooms {
  const { roomLog, fanout, facts, log, newRate, onClosed } = options
  const openings = new Map<RoomId, Opening>()
  const rooms = new Map<RoomId, LocalRoom>()
  let memberCount = 0

  const open = async (id: RoomId): Promise<LocalRoom> => {
    const delivery = fanout.open()
    const rate = newRate()
    const feed = await RoomFeed.open(roomLog, id, {
      onRun: (run: Run) => {
        rate?.logged(run.entries.length)
        delivery.deliver(run)
      },
      onRepair: (reason) => facts.feedRepaired(reason),
      onLost: () => {
        facts.entriesLost()
        log.warn({ room: id }, 'messages were gone from the log before they were delivered')
      },
    })
    const room: LocalRoom = { id, feed, fanout: delivery, size: 0, clusterCount: 0, rate }
    rooms.set(id, room)
    return room
  }

  const hold = (id: RoomId): Opening => {
    const opening = openings.get(id) ?? { opened: open(id), holders: 0 }
    openings.set(id, opening)
    opening.holders++
    return opening
  }

  const release = (id: RoomId): void => {
    const opening = openings.get(id)
    if (opening === undefined || --opening.holders > 0) return
    openings.delete(id)
    const room = rooms.get(id)
    room?.feed.close()
    room?.fanout.close()
    rooms.delete(id)
    onClosed(id)
  }

  const compare = setInterval(() => {
    const open = [...rooms.values()]
    roomLog.heads(open.map(({ id }) => id)).then(
      (heads) => {
        for (const [i, { feed }] of open.entries()) {
          const head = heads[i]
          if (head !== undefined) feed.compare(head)
        }
      },
      // The log is away, which is reported where it is noticed; the feeds catch up by themselves.
      () => undefined,
    )
  }, COMPARE_INTERVAL_MS)
  compare.unref()

  return {
    async enter(id, visit) {
      const opening = hold(id)
      let room: LocalRoom
      try {
        room = await opening.opened
      } catch (error) {
        // The next one to come tries anew; whoever waited for this attempt holds nothing.
        if (openings.get(id) === opening) openings.delete(id)
        if (error instanceof LogUnavailable) {
          throw new ClientError('unavailable', 'the room can not be opened right now', {
            cause: error,
          })
        }
        throw error
      }
      let isAdmitted = false
      const admit = (member: Member): void => {
        isAdmitted = true
        room.fanout.admit(member)
        room.size++
        memberCount++
      }
      try {
        await visit(room, admit)
      } finally {
        if (!isAdmitted) release(id)
      }
    },

    leave(member) {
      const { room } = member
      room.fanout.remove(member)
      room.size--
      memberCount--
      release(room.id)
    },

    get: (id) => rooms.get(id),
    all: () => rooms.values(),
    online: (room) => Math.max(room.clusterCount, room.size),

    setCounts(counts) {
      for (const [id, online] of counts) {
        const room = rooms.get(id)
        if (room === undefined || room.clusterCount === online) continue
        room.clusterCount = online
        room.fanout.tell(countMessage(id, online))
      }
    },

    members: () => memberCount,
    count: () => rooms.size,

    close() {
      clearInterval(compare)
      for (const { feed, fanout: delivery } of rooms.values()) {
        feed.close()
        delivery.close()
      }
    },
  }
}
