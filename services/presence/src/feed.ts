import { ClientError, type PresenceView } from '@roomcast/protocol'
import { encodeComment, encodeEvent, type EventStream } from '@roomcast/runtime'
import type { History } from './history.ts'
import { changesBetween, snapshotOf, type Snapshot } from './snapshot.ts'
import type { PresenceState } from './state.ts'
import { statsOf } from './views.ts'

/** How often history is recorded, and how often at most a stream is told what changed, in milliseconds. */
export const FEED_INTERVAL_MS = 1_000
/** How often a stream gets a comment, so that neither a proxy nor the page takes it for dead, in milliseconds. */
const HEARTBEAT_MS = 10_000

const ALIVE = encodeComment('alive')

const encode = (event: string, data: object): Buffer =>
  encodeEvent({ event, data: JSON.stringify(data) })

/** Keeps the history, and tells every stream what is and then what changed. */
export interface Feed {
  /** Open streams. */
  streams(): number
  /** Throws `busy` when there are too many, `unavailable` while the feed ends. */
  checkRoom(): void
  /** Sends the stream the `state` as of the last look, then a `change` after each look that found one, until it is over. */
  add(stream: EventStream): void
  /** Ends every stream; none is taken any more. */
  close(): void
}

/** Looks at the state once a second: at all of it while somebody listens, else at the totals. A replica that is not complete records nothing. */
export function startFeed({
  state,
  replica,
  history,
  maxStreams,
  now,
}: {
  readonly state: PresenceState
  readonly replica: PresenceView['replica']
  readonly history: History
  readonly maxStreams: number
  readonly now: () => number
}): Feed {
  const streams = new Set<EventStream>()
  let seen: Snapshot | undefined
  let isClosed = false
  /** On the state's clock, which never goes back. */
  let heartbeatAtMs = 0

  const tell = (encoded: Buffer): void => {
    for (const stream of streams) stream.send(encoded)
  }
  const look = (): void => {
    if (state.isComplete) history.record(statsOf(state), now())
    if (seen !== undefined && streams.size > 0) {
      const after = snapshotOf(state)
      const changes = changesBetween(seen, after)
      seen = after
      // One text for all, whatever their number.
      if (changes !== undefined) tell(encode('change', { at: now(), ...changes }))
    }
    if (state.clockMs - heartbeatAtMs < HEARTBEAT_MS) return
    heartbeatAtMs = state.clockMs
    tell(ALIVE)
  }
  const timer = setInterval(look, FEED_INTERVAL_MS)

  return {
    streams: () => streams.size,
    checkRoom() {
      if (isClosed) throw new ClientError('unavailable', 'this replica ends: ask again')
      if (streams.size >= maxStreams) {
        throw new ClientError('busy', `${maxStreams} event streams are open, which is the limit`)
      }
    },
    add(stream) {
      // Who comes later starts from the same look as the others: what changes is told once for all.
      if (streams.size === 0 || seen === undefined) seen = snapshotOf(state)
      const { stats, gateways, rooms } = seen
      const view: PresenceView = {
        at: now(),
        replica,
        stats,
        gateways: [...gateways.values()],
        rooms,
      }
      streams.add(stream)
      stream.over.addEventListener('abort', () => streams.delete(stream), { once: true })
      stream.open()
      stream.send(encode('state', view))
      if (stream.over.aborted) streams.delete(stream)
    },
    close() {
      isClosed = true
      clearInterval(timer)
      for (const stream of streams) stream.end('this replica ends')
    },
  }
}
