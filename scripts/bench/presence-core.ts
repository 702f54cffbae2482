import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RoomId, type GatewayToPresence, type ReportedMember } from '@roomcast/protocol'
import { parseFrame } from '../../services/presence/src/reports.ts'
import { snapshotOf } from '../../services/presence/src/snapshot.ts'
import { apply, createState, type PresenceState } from '../../services/presence/src/state.ts'
import {
  busiestRooms,
  gatewaysOf,
  membersOf,
  roomOf,
  statsOf,
} from '../../services/presence/src/views.ts'
import { createCrowd, gatewayInfo, stateFrames, totalsOf } from './presence-crowd.ts'
import { percentile, spread, type Row } from './row.ts'

const GATEWAYS = 200
const GATEWAY_MEMBERS = 5_000
const ROOMS = 100_000
/** Rooms of the crowd of a tenth, which tells what grows with the members. */
const TENTH = 10
/** Members that leave a gateway, and that join it, in one diff: a tenth of them in a second. */
const DIFF_CHURN = 125
const DIFFS = 1_000
const QUERIES = 200
const HEAP_TARGET_BYTES = 300

/** Times of one kind of work, in milliseconds. */
interface Times {
  readonly p50: number
  readonly p99: number
  readonly mean: number
}

interface Measured {
  readonly heapBytesPerMember: number
  readonly rssBytesPerMember: number
  readonly times: Readonly<Record<string, Times>>
}

/**
 * What a replica of presence pays for 1,000,000 members on 200 gateways in 100,000 rooms: its own state, fed by texts of frames as they
 * come from gateways. Without sockets. The same with a tenth of the members and rooms shows what grows with them.
 */
export function measurePresenceCore(): Row[] {
  // First, in a process that has no memory to use again.
  const large = measure(GATEWAY_MEMBERS, ROOMS)
  const small = measure(GATEWAY_MEMBERS / TENTH, ROOMS / TENTH)
  const memory: Row = {
    id: 'presence-memory',
    what: 'memory of presence per member, 1,000,000 members',
    measured: `heap ${large.heapBytesPerMember.toFixed(0)} bytes, RSS ${large.rssBytesPerMember.toFixed(0)} bytes`,
    target: `heap at most ${HEAP_TARGET_BYTES} bytes`,
    isMet: large.heapBytesPerMember <= HEAP_TARGET_BYTES,
    figures: {
      presence: {
        heapBytesPerMember: spread([large.heapBytesPerMember]),
        rssBytesPerMember: spread([large.rssBytesPerMember]),
      },
    },
    notes: [],
  }
  const times = Object.entries(large.times).map(([what, time]): Row => {
    const before = small.times[what]
    const us = (value = Number.NaN): string => `${(value * 1_000).toFixed(1)} us`
    return {
      id: `presence-${what.replaceAll(/\W+/g, '-')}`,
      what: `presence, ${what}`,
      measured: `p50 ${us(time.p50)}, p99 ${us(time.p99)}; at a tenth p50 ${us(before?.p50)}`,
      target: 'none',
      isMet: true,
      figures: {
        presence: {
          p50Ms: spread([time.p50]),
          p99Ms: spread([time.p99]),
          meanMs: spread([time.mean]),
        },
      },
      notes: [],
    }
  })
  return [memory, ...times]
}

function measure(gatewayMembers: number, rooms: number): Measured {
  const crowd = createCrowd({ rooms, seed: 1 })
  const samples = new Map<string, number[]>()
  const time = <T>(what: string, work: () => T): T => {
    const started = performance.now()
    const result = work()
    const tookMs = performance.now() - started
    const known = samples.get(what)
    if (known === undefined) samples.set(what, [tookMs])
    else known.push(tookMs)
    return result
  }
  const before = memoryNow()
  const nowMs = 1_700_000_000_000
  const state = createState({ leaseMs: 3_000, warmupMs: 0 }, nowMs)
  const hear = (link: number, text: Buffer): void => {
    const frame = parseFrame(text)
    if (frame === undefined) throw new Error('not a frame of the protocol')
    const { resend, refusal } = apply(state, { t: 'frame', link, frame }, nowMs)
    if (resend || refusal !== undefined) throw new Error('a frame was not taken')
  }
  const report = (gateway: number, members: readonly ReportedMember[]): Buffer[] => [
    encode({ t: 'hello', v: 1, ...gatewayInfo(gateway) }),
    ...stateFrames(0, members).map(encode),
  ]

  for (let gateway = 0; gateway < GATEWAYS; gateway++) {
    const frames = report(gateway, Array.from({ length: gatewayMembers }, crowd.member))
    time(`a gateway's whole state`, () => frames.forEach((text) => hear(gateway, text)))
  }
  apply(state, { t: 'tick' }, nowMs)
  const after = memoryNow()
  const { members } = statsOf(state)
  if (members !== GATEWAYS * gatewayMembers) throw new Error(`${members} members are counted`)

  for (let i = 0; i < DIFFS; i++) {
    const gateway = i % GATEWAYS
    const n = Math.floor(i / GATEWAYS) + 1
    const left = sidsOf(state, gateway, DIFF_CHURN)
    const joined = Array.from({ length: DIFF_CHURN }, crowd.member)
    const text = encode({ t: 'diff', n, joined, left, ...totalsOf(gatewayMembers) })
    time('a diff of 125 that leave and 125 that join', () => hear(gateway, text))
  }
  for (let i = 0; i < DIFFS; i++) {
    const gateway = i % GATEWAYS
    const n = DIFFS / GATEWAYS + Math.floor(i / GATEWAYS) + 1
    const joined = [crowd.member()]
    const text = encode({ t: 'diff', n, joined, left: [], ...totalsOf(gatewayMembers) })
    time('a diff of one that joins', () => hear(gateway, text))
  }

  const busiest = RoomId.parse(busiestRooms(state, { limit: 1 }).rooms[0]?.room)
  const queries: Readonly<Record<string, () => unknown>> = {
    'totals (also /v1/scale)': () => statsOf(state),
    'the list of gateways': () => gatewaysOf(state),
    'the 50 busiest rooms': () => busiestRooms(state, { limit: 50 }),
    'rooms by a search': () => busiestRooms(state, { limit: 50, search: '77' }),
    'one room': () => roomOf(state, busiest),
    'the first 100 members of the busiest room': () => membersOf(state, busiest, { limit: 100 }),
    'all that a dashboard shows': () => snapshotOf(state),
    'a tick': () => apply(state, { t: 'tick' }, nowMs),
  }
  for (const [what, query] of Object.entries(queries)) {
    for (let i = 0; i < QUERIES; i++) time(what, query)
  }
  for (let gateway = 0; gateway < GATEWAYS / 2; gateway++) {
    time('the loss of a gateway', () => apply(state, { t: 'closed', link: gateway }, nowMs))
  }
  return {
    heapBytesPerMember: (after.heapUsed - before.heapUsed) / members,
    rssBytesPerMember: (after.rss - before.rss) / members,
    times: Object.fromEntries([...samples].map(([what, taken]) => [what, timesOf(taken)])),
  }
}

/** Some members of a gateway. */
function sidsOf(state: PresenceState, gateway: number, limit: number): string[] {
  const claims = state.gateways.get(gatewayInfo(gateway).instance)?.claims ?? []
  return claims.slice(0, limit).map(({ sid }) => sid)
}

function encode(frame: GatewayToPresence): Buffer {
  return Buffer.from(JSON.stringify(frame))
}

function timesOf(taken: readonly number[]): Times {
  const sorted = taken.toSorted((a, b) => a - b)
  const mean = taken.reduce((sum, one) => sum + one, 0) / taken.length
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), mean }
}

/** After a collection. */
function memoryNow(): NodeJS.MemoryUsage {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage()
}
