import { z } from 'zod'
import { RoomId } from './rooms.ts'

/**
 * Gateway to presence, a websocket to each replica at `REPORT_PATH`, JSON text frames. `hello`, then the full `state` in parts,
 * then numbered `diff`s, and a `beat` when there was no diff for a second. Presence answers `welcome`, asks `resend` when a number
 * is missing, and tells the cluster's `gateways` and the `counts` of the rooms that this gateway occupies.
 */
export const REPORT_PATH = '/internal/report'
/** Members in one part of a state or in one diff: bounds the size of a frame. */
export const REPORT_PART_MEMBERS = 2_000
/** How often a gateway tells what changed, in milliseconds. */
export const REPORT_DIFF_INTERVAL_MS = 250
/** How often a gateway says that it lives, in milliseconds. */
export const REPORT_BEAT_INTERVAL_MS = 1_000
/** How often at most presence tells a room's count to a gateway, in milliseconds. */
export const COUNT_INTERVAL_MS = 1_000
/** How often one gateway is told who lives, so that it announces the members of those who do not, in milliseconds. */
export const ANNOUNCE_INTERVAL_MS = 1_000
/** Over how long at most a gateway is told to send connections elsewhere, in milliseconds. */
export const SHED_MAX_MS = 3_600_000

/** A gateway process. `instance` is new with each start, so that a restart never counts twice. */
export const GatewayInfo = z.object({
  instance: z.string().min(1).max(64),
  /** Name of its pod, or of its process where there are no pods. */
  pod: z.string().min(1).max(253),
  /** `host:port` at which the other gateways reach it. */
  address: z.string().min(1).max(300),
  version: z.string().max(64),
  startedAt: z.number(),
  /** Whether it understands `shed`; one that is older ends the connection at a frame that it does not know. */
  sheds: z.boolean().optional(),
  /** The same for `announce`. */
  announces: z.boolean().optional(),
})
export type GatewayInfo = z.infer<typeof GatewayInfo>

/** One socket in one room. */
export const ReportedMember = z.object({
  sid: z.string().min(1).max(128),
  room: RoomId,
  name: z.string().max(256),
  /** Who it is, where tokens are required. */
  user: z.string().max(256).optional(),
  /** When it joined, in milliseconds since 1970. */
  since: z.number(),
  /** Grows each time the session moves to another gateway: of two reports of one sid the higher counts. */
  generation: z.int().min(0),
})
export type ReportedMember = z.infer<typeof ReportedMember>

export const TRANSPORTS = ['websocket', 'polling'] as const
export type TransportName = (typeof TRANSPORTS)[number]

/** What is not a member: connections in all (in a room or not) by transport, and whether the gateway is leaving. */
export const GatewayTotals = z.object({
  connections: z.object({ websocket: z.int().min(0), polling: z.int().min(0) }),
  draining: z.boolean(),
})
export type GatewayTotals = z.infer<typeof GatewayTotals>

const members = z.array(ReportedMember).max(REPORT_PART_MEMBERS)

export const GatewayToPresence = z.discriminatedUnion('t', [
  GatewayInfo.extend({ t: z.literal('hello'), v: z.literal(1) }),
  /** Part `part` (from 0) of the state as of number `n`; the parts replace all that was known once the `last` is there. */
  GatewayTotals.extend({
    t: z.literal('state'),
    n: z.int().min(0),
    part: z.int().min(0),
    last: z.boolean(),
    members,
  }),
  /** What changed since number `n - 1`. A member in `joined` replaces the one of the same sid. */
  GatewayTotals.extend({
    t: z.literal('diff'),
    n: z.int().min(1),
    joined: members,
    left: z.array(z.string().max(128)).max(REPORT_PART_MEMBERS),
  }),
  /** Nothing changed since number `n`. */
  z.object({ t: z.literal('beat'), n: z.int().min(0) }),
  /** The gateway ends in order: forget it at once. */
  z.object({ t: z.literal('bye') }),
])
export type GatewayToPresence = z.infer<typeof GatewayToPresence>

/**
 * From the leader of presence to a gateway with too many connections, and only to one that says that it `sheds`: to send this many of
 * them elsewhere, spread over that time. A wish: one that drains, or has fewer by now, does what makes sense.
 */
export const Shed = z.object({
  t: z.literal('shed'),
  connections: z.int().min(1),
  withinMs: z.int().min(0).max(SHED_MAX_MS),
})
export type Shed = z.infer<typeof Shed>

/**
 * From the leader of presence, once a second, to one gateway that says that it `announces`: the instances that live. The members of any
 * other are announced as gone when they are not back within the grace.
 */
export const Announce = z.object({
  t: z.literal('announce'),
  living: z.array(z.string().max(64)),
})
export type Announce = z.infer<typeof Announce>

export const PresenceToGateway = z.discriminatedUnion('t', [
  z.object({ t: z.literal('welcome'), v: z.literal(1), replica: z.string() }),
  z.object({ t: z.literal('resend') }),
  /** Every gateway that this replica hears, whole, at each change. */
  z.object({ t: z.literal('gateways'), gateways: z.array(GatewayInfo) }),
  /** Members in the whole cluster, for rooms that this gateway occupies and whose count changed. */
  z.object({ t: z.literal('counts'), counts: z.array(z.tuple([RoomId, z.int().min(0)])) }),
  Shed,
  Announce,
])
export type PresenceToGateway = z.infer<typeof PresenceToGateway>
