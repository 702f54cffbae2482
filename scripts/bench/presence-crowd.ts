import { createInternalAccess, createLog } from '@roomcast/runtime'
import { startReporter, type Reporter } from '../../services/gateway/src/reporter.ts'
import type { GatewayInfo, GatewayToPresence, ReportedMember } from '@roomcast/protocol'
import { REPORT_PART_MEMBERS, RoomId } from '@roomcast/protocol'

/** Members of a simulated cluster, and what its gateways say. The same seed makes the same crowd. */
export interface Crowd {
  /** A member that was not there before. */
  member(): ReportedMember
}

/**
 * `rooms`: in how many rooms they are. The share of a room falls with its number, by the square of a uniform draw: of 1,000,000 members
 * in 100,000 rooms, 3,162 are in the busiest one and 5 in most.
 */
export function createCrowd({ rooms, seed }: { rooms: number; seed: number }): Crowd {
  let draws = seed
  /** Mulberry32. */
  const draw = (): number => {
    draws = (draws + 0x6d2b79f5) | 0
    let mixed = Math.imul(draws ^ (draws >>> 15), 1 | draws)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  let made = 0
  return {
    member: () => {
      // As long as Socket.IO's own, whose last characters count up.
      let sid = (++made).toString(36).padStart(6, '0')
      while (sid.length < 20) sid += DIGITS[Math.floor(draw() * 64)]
      return {
        sid,
        room: RoomId.parse(`room ${Math.floor(rooms * draw() ** 2)}`),
        name: `member ${made}`,
        since: 1_700_000_000_000 + made,
        generation: 0,
      }
    },
  }
}

export function gatewayInfo(i: number): GatewayInfo {
  const pod = `chat-roomcast-gateway-5d9f7c6b8-x${String(i).padStart(4, '0')}`
  const address = `10.0.${i >> 8}.${i & 255}:8080`
  return { instance: `instance-${i}`, pod, address, version: '0.1.0', startedAt: 0 }
}

/** The reporter of a gateway that has no sockets, and does nothing of what presence asks. `onCounts` is told how many counts came. */
export function startCrowdReporter(
  presenceUrl: string,
  i: number,
  onCounts: (counts: number) => void = () => undefined,
): Reporter {
  return startReporter({
    presenceUrls: [presenceUrl],
    internal: createInternalAccess(() => []),
    gateway: gatewayInfo(i),
    log: createLog('bench', 'silent'),
    now: () => performance.now(),
    onGateways: () => undefined,
    onCounts: (counts) => onCounts(counts.length),
    onShed: () => undefined,
    onAnnounce: () => undefined,
  })
}

/** The frames of a whole state, with the parts that a gateway makes of it. */
export function stateFrames(n: number, members: readonly ReportedMember[]): GatewayToPresence[] {
  const totals = totalsOf(members.length)
  return Array.from({ length: Math.ceil(members.length / REPORT_PART_MEMBERS) }, (_, part) => {
    const end = (part + 1) * REPORT_PART_MEMBERS
    const slice = members.slice(part * REPORT_PART_MEMBERS, end)
    return { t: 'state', n, part, last: end >= members.length, members: slice, ...totals }
  })
}

/** Every connection is a member's. */
export function totalsOf(members: number) {
  return { connections: { websocket: members, polling: 0 }, draining: false }
}
