import type {
  GatewayInfo,
  GatewayToPresence,
  GatewayTotals,
  ReportedMember,
  RoomId,
} from '@roomcast/protocol'
import { Roster, type Changes, type Claim, type Owner } from './roster.ts'

/** Gateway instances that are known at one time. */
export const GATEWAYS_MAX = 1_000
/** Members that one gateway may report. */
export const GATEWAY_MEMBERS_MAX = 1_000_000
/**
 * How long a gateway that said hello while this replica warmed up may keep it from being complete by not sending its state.
 * In milliseconds after the warm-up.
 */
const FIRST_STATE_WAIT_MS = 30_000
/** The same for a pod that does not report at all: some find a new replica only after DNS does, and some never will. */
const POD_WAIT_MS = 10_000

/** A connection by which a gateway reports; numbers are not used again. */
export type LinkId = number

/** A gateway instance from its first word to its last, with what it reported. */
export interface Gateway extends Owner {
  readonly instance: string
  readonly claims: Claim<this>[]
  info: GatewayInfo
  /** The newest of its connections: the only one that is listened to. */
  link: LinkId
  totals: GatewayTotals
  /** On the state's own clock. */
  heardAtMs: number
  /** Number of the last report that was applied; undefined while the whole state is awaited. */
  n: number | undefined
  incoming: IncomingState | undefined
  /** When the whole state was asked for, on the state's own clock; undefined when nothing was asked or it is on its way. */
  askedAtMs: number | undefined
  hasReported: boolean
}

/** The parts so far of a state whose last part is still to come. */
interface IncomingState {
  readonly n: number
  nextPart: number
  readonly members: Map<string, ReportedMember>
}

/** A gateway's pod that exists, whether the gateway in it reports or not. */
export interface KnownPod {
  readonly uid: string
  readonly name: string
  /** Empty until it has one. */
  readonly ip: string
  readonly createdAtMs: number
  /** It is being deleted. */
  readonly isTerminating: boolean
  /** It has ended and will not start again. */
  readonly isOver: boolean
}

/** All that a replica knows. Read it freely; only `apply` changes it. */
export interface PresenceState {
  readonly leaseMs: number
  readonly warmupMs: number
  readonly gateways: Map<string, Gateway>
  readonly links: Map<LinkId, GatewayInfo>
  readonly roster: Roster<Gateway>
  /** The gateways' pods; undefined while Kubernetes has not told, or is not asked. */
  pods: readonly KnownPod[] | undefined
  /** Time that passed while this process was awake to listen, in milliseconds since its start: never jumps, never goes back. */
  clockMs: number
  nowMs: number
  /** Whether every gateway had the time to report. Once true, it stays. */
  isComplete: boolean
}

export type PresenceEvent =
  | { readonly t: 'frame'; readonly link: LinkId; readonly frame: GatewayToPresence }
  | { readonly t: 'closed'; readonly link: LinkId }
  /** These are the pods now. */
  | { readonly t: 'pods'; readonly pods: readonly KnownPod[] }
  /** Time passed; due several times per lease. */
  | { readonly t: 'tick' }

/** What an event asks of the connections. `counted` and `entered` are of `Changes`; `entered` is of the event's own gateway. */
export interface Effects extends Changes {
  readonly counted: Set<RoomId>
  readonly entered: Set<RoomId>
  /** Ask the event's gateway for its whole state. */
  resend: boolean
  /** End the event's connection with this close code and reason. */
  refusal: { readonly code: number; readonly reason: string } | undefined
  /** An older connection of the event's gateway, to be ended. */
  superseded: LinkId | undefined
  /** The list of gateways changed. */
  hasNewGateways: boolean
  /** Gateways removed because their lease ran out. */
  readonly expired: GatewayInfo[]
}

/** `warmupMs`: how long after its start a replica counts as not having heard everybody, unless Kubernetes tells who there is. */
export function createState(
  { leaseMs, warmupMs }: { readonly leaseMs: number; readonly warmupMs: number },
  now: number,
): PresenceState {
  return {
    leaseMs,
    warmupMs,
    gateways: new Map(),
    links: new Map(),
    roster: new Roster(),
    pods: undefined,
    clockMs: 0,
    nowMs: now,
    isComplete: false,
  }
}

/**
 * Applies one event to the state and returns what is to be done about it. Costs O(what changed): a beat O(1), a diff O(its members),
 * a whole state or the loss of a gateway O(that gateway's members), a tick O(gateways).
 */
export function apply(state: PresenceState, event: PresenceEvent, now: number): Effects {
  const effects: Effects = {
    counted: new Set(),
    entered: new Set(),
    resend: false,
    refusal: undefined,
    superseded: undefined,
    hasNewGateways: false,
    expired: [],
  }
  switch (event.t) {
    case 'frame':
      hear(state, event.link, event.frame, effects)
      break
    case 'closed':
      leave(state, event.link, effects)
      break
    case 'pods':
      state.pods = event.pods
      break
    case 'tick':
      advance(state, now)
      tick(state, effects)
      break
  }
  return effects
}

/**
 * A long step means that this process slept, or had much to read, or that the wall clock was set; the gateways' words of that time are still
 * to be read. Counting a third of a lease at most, and at ticks alone, between which every connection has its turn, keeps that from looking
 * like everybody's silence.
 */
function advance(state: PresenceState, now: number): void {
  state.clockMs += Math.min(Math.max(now - state.nowMs, 0), state.leaseMs / 3)
  state.nowMs = now
}

function tick(state: PresenceState, effects: Effects): void {
  const { clockMs, leaseMs, warmupMs, gateways } = state
  for (const gateway of gateways.values()) {
    if (clockMs - gateway.heardAtMs < leaseMs) continue
    forget(state, gateway, effects)
    effects.expired.push(gateway.info)
  }
  if (state.isComplete) return
  state.isComplete = clockMs >= warmupMs + FIRST_STATE_WAIT_MS || hasHeardAll(state)
}

/**
 * Whether every gateway has reported: those that came within the warm-up; where Kubernetes tells which there are, these, sooner than that,
 * or later.
 */
function hasHeardAll({ pods, gateways, clockMs, warmupMs }: PresenceState): boolean {
  const known = [...gateways.values()]
  if (!known.every(({ hasReported }) => hasReported)) return false
  const reachable = pods?.filter(({ ip, isOver }) => ip !== '' && !isOver) ?? []
  if (reachable.length === 0) return clockMs >= warmupMs
  const reporting = new Set(known.map(({ info }) => info.pod))
  return reachable.every(({ name }) => reporting.has(name)) || clockMs >= warmupMs + POD_WAIT_MS
}

function hear(
  state: PresenceState,
  link: LinkId,
  frame: GatewayToPresence,
  effects: Effects,
): void {
  if (frame.t === 'hello') {
    const { t: _t, v: _v, ...info } = frame
    greet(state, link, info, effects)
    return
  }
  const info = state.links.get(link)
  if (info === undefined) {
    effects.refusal = { code: 1008, reason: 'hello comes first' }
    return
  }
  // A lease that ran out leaves the connection: the gateway is welcome again as soon as it speaks.
  const gateway = state.gateways.get(info.instance) ?? admit(state, link, info, effects)
  if (gateway === undefined) return
  if (gateway.link !== link) {
    effects.refusal = { code: 1008, reason: 'a newer connection of this gateway took over' }
    return
  }
  gateway.heardAtMs = state.clockMs
  switch (frame.t) {
    case 'state':
      collect(state, gateway, frame, effects)
      break
    case 'diff':
      if (frame.n - 1 !== gateway.n) {
        awaitState(state, gateway, effects)
        break
      }
      gateway.n = frame.n
      gateway.totals = { connections: frame.connections, draining: frame.draining }
      for (const sid of frame.left) state.roster.release(gateway, sid, effects)
      for (const member of frame.joined) state.roster.claim(gateway, member, effects)
      if (gateway.claims.length > GATEWAY_MEMBERS_MAX) refuseSize(effects)
      break
    case 'beat':
      if (frame.n !== gateway.n) awaitState(state, gateway, effects)
      break
    case 'bye':
      leave(state, link, effects)
      break
  }
}

function greet(state: PresenceState, link: LinkId, info: GatewayInfo, effects: Effects): void {
  if (state.links.has(link)) {
    effects.refusal = { code: 1008, reason: 'hello comes once' }
    return
  }
  const known = state.gateways.get(info.instance)
  if (known === undefined) {
    if (admit(state, link, info, effects) !== undefined) state.links.set(link, info)
    return
  }
  // What it reported stays until its new state is there, so that a reconnect is not a dip in the counts.
  effects.superseded = known.link
  state.links.delete(known.link)
  state.links.set(link, info)
  if (known.info.address !== info.address || known.info.pod !== info.pod)
    effects.hasNewGateways = true
  known.info = info
  known.link = link
  known.heardAtMs = state.clockMs
  known.n = undefined
  known.incoming = undefined
  known.askedAtMs = undefined
}

function admit(
  state: PresenceState,
  link: LinkId,
  info: GatewayInfo,
  effects: Effects,
): Gateway | undefined {
  if (state.gateways.size >= GATEWAYS_MAX) {
    effects.refusal = { code: 1013, reason: `over ${GATEWAYS_MAX} gateways` }
    return undefined
  }
  const gateway: Gateway = {
    instance: info.instance,
    claims: [],
    rooms: 0,
    members: 0,
    info,
    link,
    totals: { connections: { websocket: 0, polling: 0 }, draining: false },
    heardAtMs: state.clockMs,
    n: undefined,
    incoming: undefined,
    askedAtMs: undefined,
    hasReported: false,
  }
  state.gateways.set(info.instance, gateway)
  effects.hasNewGateways = true
  return gateway
}

/** A connection ended, in order or not. Nothing happens to a gateway that has a newer one. */
function leave(state: PresenceState, link: LinkId, effects: Effects): void {
  const info = state.links.get(link)
  if (info === undefined) return
  state.links.delete(link)
  const gateway = state.gateways.get(info.instance)
  if (gateway?.link === link) forget(state, gateway, effects)
}

function forget(state: PresenceState, gateway: Gateway, effects: Effects): void {
  state.gateways.delete(gateway.instance)
  state.roster.releaseAll(gateway, effects)
  effects.hasNewGateways = true
}

/** What comes until the whole state is there tells nothing. Asks for it once, and again when nothing came of that for a lease. */
function awaitState(state: PresenceState, gateway: Gateway, effects: Effects): void {
  gateway.n = undefined
  gateway.incoming = undefined
  if (gateway.askedAtMs !== undefined && state.clockMs - gateway.askedAtMs < state.leaseMs) return
  gateway.askedAtMs = state.clockMs
  effects.resend = true
}

/** The parts of a state come one after the other with nothing between them. */
function collect(
  state: PresenceState,
  gateway: Gateway,
  part: Extract<GatewayToPresence, { t: 'state' }>,
  effects: Effects,
): void {
  if (part.part === 0) {
    gateway.n = undefined
    gateway.askedAtMs = undefined
    gateway.incoming = { n: part.n, nextPart: 0, members: new Map() }
  }
  const { incoming } = gateway
  if (incoming === undefined || incoming.n !== part.n || incoming.nextPart !== part.part) {
    awaitState(state, gateway, effects)
    return
  }
  incoming.nextPart++
  for (const member of part.members) incoming.members.set(member.sid, member)
  if (incoming.members.size > GATEWAY_MEMBERS_MAX) refuseSize(effects)
  if (!part.last) return

  const { members } = incoming
  const gone = gateway.claims.filter(({ sid }) => !members.has(sid))
  for (const { sid } of gone) state.roster.release(gateway, sid, effects)
  for (const member of members.values()) state.roster.claim(gateway, member, effects)
  gateway.n = incoming.n
  gateway.incoming = undefined
  gateway.totals = { connections: part.connections, draining: part.draining }
  gateway.hasReported = true
  // The connection may be new: whatever the old one was told, it has to hear every count.
  for (const { room } of gateway.claims) effects.entered.add(room.id)
}

function refuseSize(effects: Effects): void {
  effects.refusal = { code: 1009, reason: `over ${GATEWAY_MEMBERS_MAX} members` }
}
