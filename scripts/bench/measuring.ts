import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCollector } from '../../test/support/collector.ts'
import { windowText } from './contest.ts'
import { connectMembers } from './contestant.ts'
import { busyShare, parseProfile, profileTimeUs } from './cpu-profile.ts'
import { spread, type Row } from './row.ts'
import type { BenchOptions } from './scale.ts'
import { startSystem } from './systems.ts'

/** Small rooms, where measuring costs most: what is done once for a message is shared by few deliveries. */
const ROOMS = 100
const MEMBERS = 10
const PER_SECOND = 10 * ROOMS
const TEXT_BYTES = 64
/** A share of some per mille is seen in many samples of a profile. */
const WINDOWS = 4
const TARGET_PERCENT = 2

/** With the share of messages that are traced, where traces are on. */
const VARIANTS: Readonly<Record<string, string | undefined>> = {
  metrics: undefined,
  'traces on, none sampled': '0',
  'traces on, 1 % sampled': '0.01',
}

/** Whatever runs below these is measuring. */
const MODULES = [
  ...['sdk-', 'exporter-', 'otlp-', 'instrumentation'].map((part) => `/@opentelemetry/${part}`),
  '/src/facts.ts',
  '-metrics.ts',
]
/** These call what they measure, so their own time alone counts. */
const OWN_MODULES = [
  '/@opentelemetry/api/',
  '/@opentelemetry/context-async-hooks/',
  '/runtime/src/traces.ts',
  '/gateway/src/message-traces.ts',
]

/**
 * What part of the CPU of gateway and broker measuring takes in small rooms, by the samples of their profiles: the difference of two runs
 * would drown in how full the batches happen to be.
 */
export async function measureMeasuring(options: BenchOptions): Promise<readonly Row[]> {
  const shares: [string, Awaited<ReturnType<typeof sharesOf>>][] = []
  await using collector = await startCollector()
  for (const [name, ratio] of Object.entries(VARIANTS)) {
    const traces = { OTLP_TRACES_URL: collector.url, TRACE_SAMPLE_RATIO: ratio ?? '' }
    shares.push([name, await sharesOf(name, ratio === undefined ? {} : traces, options)])
  }
  const text = shares.map(
    ([name, { gateway, broker, both }]) =>
      `${name} ${both.toFixed(2)} % (gateway ${gateway.toFixed(2)}, broker ${broker.toFixed(2)})`,
  )
  return [
    {
      id: 'measuring',
      what: `measuring, of the CPU of gateway and broker, ${ROOMS} rooms of ${MEMBERS} at ${PER_SECOND / ROOMS} messages a second each`,
      measured: text.join('; '),
      target: `metrics under ${TARGET_PERCENT} %`,
      isMet: shares.some(([name, { both }]) => name === 'metrics' && both < TARGET_PERCENT),
      figures: Object.fromEntries(
        shares.map(([name, percents]) => [
          name,
          Object.fromEntries(
            Object.entries(percents).map(([of, percent]) => [`${of}Percent`, spread([percent])]),
          ),
        ]),
      ),
      notes: [],
    },
  ]
}

/** In per cent of what each was busy, and of both together. */
async function sharesOf(
  name: string,
  env: Readonly<Record<string, string>>,
  { scale, cores, flags, note }: BenchOptions,
): Promise<{ readonly gateway: number; readonly broker: number; readonly both: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'roomcast-profile-'))
  try {
    const span = await talk()
    const gateway = await busyIn('gateway', span)
    const broker = await busyIn('broker', span)
    const busy = gateway.busyPercent + broker.busyPercent
    const measuring = [gateway, broker].reduce(
      (sum, { busyPercent, sharePercent }) => sum + busyPercent * sharePercent,
      0,
    )
    return {
      gateway: gateway.sharePercent,
      broker: broker.sharePercent,
      both: measuring / busy,
    }
  } finally {
    await rm(folder, { recursive: true })
  }

  async function talk(): Promise<readonly [number, number]> {
    const groups = Array.from({ length: ROOMS }, (_, i) => ({
      room: `table-${i}`,
      members: MEMBERS,
      witnesses: 1,
      senders: 1,
    }))
    await using system = await startSystem('roomcast', { cores, flags, profiles: folder, env })
    await using members = await connectMembers(system, groups, { cores, isApart: true })
    const plan = { kind: 'open', perSecond: PER_SECOND, textBytes: TEXT_BYTES } as const
    const fromUs = profileTimeUs()
    const window = await members.measure(plan, scale.warmUpMs, WINDOWS * scale.windowMs)
    note(`${name}: ${windowText(window)}`)
    return [fromUs + 1_000 * scale.warmUpMs, profileTimeUs()]
  }
  async function busyIn(service: string, span: readonly [number, number]) {
    const file = (await readdir(folder)).find((found) => found.startsWith(service))
    if (file === undefined) throw new Error(`${service} left no profile`)
    const profile = parseProfile(await readFile(join(folder, file), 'utf8'))
    return busyShare(profile, MODULES, span, OWN_MODULES)
  }
}
