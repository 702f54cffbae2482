import { ClientError } from '@roomcast/protocol'
import { EMPTY_HEAD, locate, runsOf, userOfSession } from '@roomcast/roomlog'
import { sharePackets, writePacket } from '../engine/packets.ts'
import { messageBody } from '../fanout.ts'
import type { Restored } from '../recovery.ts'
import type { LocalRoom } from '../rooms.ts'
import { sessionOf, tellRefusal, type ChatSocket } from '../sockets.ts'
import type { Context } from './context.ts'
import { admitMember } from './join.ts'
import { announceQuit } from './leave.ts'
import { announce, isAnnounced } from './notices.ts'
import { refusalOfBan, refusalOfRemoval } from './remove.ts'
import { releaseEarlySays } from './say.ts'

/** Messages that one read of a replay asks for. */
const REPLAY_READ_LIMIT = 200
/** How long a replay waits for the room's feed to arrive in the log's present epoch, and in what steps, in milliseconds. */
const EPOCH_WAIT_MS = 2_000
const EPOCH_STEP_MS = 50

/**
 * Goes on with a membership on a new connection: replays what was missed, in order, and then lets the member into the room where the
 * replay ended. When that fails the connection is closed, so that the client comes back with the offset of the last that it got.
 */
export function resume(context: Context, socket: ChatSocket, restored: Restored): void {
  const session = sessionOf(socket)
  const { room, name, hasQuit } = restored.session
  let isMember = false
  let isSmall = true
  let refusedAs: 'forbidden' | 'removed' | undefined
  const done = context.rooms.enter(room, async (local, admit) => {
    isSmall = isAnnounced(context, local)
    const turn = local.removals.turn()
    let refusal = await refusalOf(context, socket, restored)
    if (refusal !== undefined) refusedAs = 'forbidden'
    else {
      const [standing] = await Promise.all([
        standingOf(context, restored),
        replay(context, socket, local, restored),
      ])
      const removal = local.removals.since(turn, userOfSession(restored.session))
      refusal = standing ?? (removal && refusalOfRemoval(removal))
      if (refusal !== undefined) refusedAs = 'removed'
    }
    if (refusal !== undefined) {
      tellRefusal(socket, refusal.toRefusal())
      return
    }
    if (!socket.connected) return
    admitMember(context, socket, local, restored.session, admit)
    isMember = true
    const online = context.rooms.online(local)
    socket.emit('message', { event: 'count', room, data: { online } })
    // Who comes back after his quit was announced is announced again.
    if (hasQuit) announce(context, 'join', local, restored.session)
  })
  session.joining = { name, done }
  done
    .then(
      () => context.facts.recovery(refusedAs ?? 'recovered'),
      (error: unknown) => {
        context.facts.recovery('unavailable')
        context.log.warn({ err: error, room }, 'recovery was cut short')
        socket.conn.close()
      },
    )
    .finally(() => {
      // The session is this gateway's since it was claimed, and so is the quit of a client that does not try again.
      if (!isMember) {
        const quit = { room, isAnnounced: isSmall && !hasQuit, session: restored.session }
        if (refusedAs !== undefined) void announceQuit(context, quit, 'drop')
        else context.quits.add(quit)
      }
      session.joining = undefined
      releaseEarlySays(session)
    })
}

/**
 * Whether the user was removed since his client left off. It was looked at before the session was taken over; what came since then was
 * in the log before the room's feed was looked at, or is told by that.
 */
async function standingOf(
  { roomLog }: Context,
  { session, position }: Restored,
): Promise<ClientError | undefined> {
  const { ban, removedAt } = await roomLog.moderation.standingOf(
    session.room,
    userOfSession(session),
  )
  if (ban !== undefined) return refusalOfBan(ban)
  return removedAt > position.seq
    ? refusalOfRemoval({ code: 'kicked', reason: undefined })
    : undefined
}

/** What the team's own backend has against it, if it is asked: a ban holds also for who comes back. Rejects when it can not be asked. */
async function refusalOf(
  { hooks }: Context,
  socket: ChatSocket,
  { session: { room, name } }: Restored,
): Promise<ClientError | undefined> {
  try {
    await hooks.join?.(socket, room, name, true)
    return undefined
  } catch (error) {
    if (error instanceof ClientError && error.code === 'forbidden') return error
    throw error
  }
}

/** Sends what follows the client's position up to the room's feed, at whose cursor the member is to go live in the same turn. */
async function replay(
  { roomLog, facts }: Context,
  socket: ChatSocket,
  { id, feed }: LocalRoom,
  { position }: Restored,
): Promise<void> {
  let after = position.seq
  for (let waited = 0; ;) {
    const page = await roomLog.read(id, { after, limit: REPLAY_READ_LIMIT })
    if (!socket.connected) return
    const { cursor } = feed
    const isSameEpoch = page.head.epoch === cursor.epoch || page.head.epoch === EMPTY_HEAD.epoch
    if (!isSameEpoch || feed.isRepairing) {
      // The feed finds out by itself, and delivers to members from where the log says; until then its cursor means nothing here.
      if (waited >= EPOCH_WAIT_MS) throw new Error('the feed of the room is behind')
      feed.compare(page.head)
      waited += EPOCH_STEP_MS
      await new Promise((resolve) => {
        setTimeout(resolve, EPOCH_STEP_MS)
      })
      continue
    }
    if (locate(page.head, position).kind !== 'known') throw new Error('the log lost this position')
    // What is beyond the feed's cursor will be delivered by it.
    const due = page.entries.filter(({ seq }) => seq <= cursor.seq)
    for (const { epoch, entries } of runsOf(page.head, due)) {
      const packets = sharePackets(
        socket.nsp.name,
        entries.map(({ seq, payload }) => messageBody(payload, { epoch, seq })),
      )
      for (let i = 0; i < packets.count; i++) writePacket(socket, packets.at(i))
    }
    facts.replayed(due.length)
    after = due.at(-1)?.seq ?? after
    if (after >= cursor.seq) return
    // The page may be older than the cursor: the feed can have delivered to others what came after the page was read.
    const isWhole = page.entries.length < REPLAY_READ_LIMIT || due.length < page.entries.length
    if (isWhole && page.head.seq >= cursor.seq) return
  }
}
