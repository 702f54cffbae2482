import type { RoomId } from '@roomcast/protocol'
import type { RoomFeed, RoomLog } from '@roomcast/roomlog'
import { encodeComment, type EventStream } from '@roomcast/runtime'

const ALIVE = encodeComment('alive')

/** The streams that are live. */
export interface LiveStreams {
  /** Until the stream is over. */
  add(stream: EventStream, room: RoomId, feed: RoomFeed): void
  close(): void
}

/**
 * Sends every live stream a comment at each interval, and compares its feed with the log's head: that finds what a subscription lost
 * without a trace, and keeps the numbers of a quiet room while somebody listens. One request for all streams.
 */
export function createLiveStreams({
  roomLog,
  heartbeatMs,
}: {
  readonly roomLog: RoomLog
  readonly heartbeatMs: number
}): LiveStreams {
  const live = new Map<EventStream, { readonly room: RoomId; readonly feed: RoomFeed }>()

  const compareAll = async (): Promise<void> => {
    const rooms = [...new Set([...live.values()].map(({ room }) => room))]
    const heads = await roomLog.heads(rooms)
    const headOf = new Map(rooms.map((room, i) => [room, heads[i]]))
    for (const { room, feed } of live.values()) {
      const head = headOf.get(room)
      if (head !== undefined) feed.compare(head)
    }
  }
  const timer = setInterval(() => {
    if (live.size === 0) return
    for (const stream of live.keys()) stream.send(ALIVE)
    // While the log is away there is nothing to compare with; its feeds read it when it is back.
    compareAll().catch(() => undefined)
  }, heartbeatMs)
  timer.unref()

  return {
    add(stream, room, feed) {
      live.set(stream, { room, feed })
      const remove = (): void => {
        feed.close()
        live.delete(stream)
      }
      if (stream.over.aborted) remove()
      else stream.over.addEventListener('abort', remove, { once: true })
    },
    close: () => clearInterval(timer),
  }
}
