import { ERROR_CODES, type AppendResult, type ErrorCode, type RoomId } from '@roomcast/protocol'
import type { Log, Telemetry } from '@roomcast/runtime'
import type { HeldRequests } from './held-requests.ts'

/** Seconds: the log in memory answers below the first, the store counts as silent at the last. */
const DURATION_BUCKETS = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2,
]

const RESULTS = ['appended', 'out_of_order', 'failed'] as const satisfies AppendResult['status'][]

/** What happens in this service: one function per fact, each its counter and its log line. */
export interface Facts {
  /** A request was answered with a problem. */
  requestRefused(code: ErrorCode): void
  /** One call of the log's `append` was answered: of one request, however many rooms and messages it has. */
  appendAnswered(results: readonly AppendResult[], durationMs: number): void
  /** A caller hears that the log is away, after what was tried. */
  publishFailed(reason: string): void
  streamTooSlow(room: RoomId): void
  /** A message that another version wrote, or none of us; it is left out. */
  messageUnreadable(room: RoomId, seq: number, error: unknown): void
  internalCallerRefused(address: string | undefined): void
}

/** Registers the service's instruments. The gauges are read whenever they are scraped. */
export function createFacts({
  held,
  telemetry: { meter },
  log,
}: {
  readonly held: HeldRequests
  readonly telemetry: Telemetry
  readonly log: Log
}): Facts {
  const appends = meter.createCounter('roomcast_broker_appends', {
    description: 'Room batches that were to be appended, by what became of them.',
  })
  // Zeros from the start: an alert on the first failure needs a number before it.
  for (const result of RESULTS) appends.add(0, { result })
  const messages = meter.createCounter('roomcast_broker_appended_messages', {
    description: 'Messages of the batches that were appended, repeated ones included.',
  })
  const duration = meter.createHistogram('roomcast_broker_append_duration_seconds', {
    description: 'How long the room log took to answer an append of one or more room batches.',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  })
  const slow = meter.createCounter('roomcast_broker_slow_streams', {
    description: 'Event streams that were ended because their client did not keep up.',
  })
  const unreadable = meter.createCounter('roomcast_broker_unreadable_messages', {
    description: 'Times that a message of a room log could not be shown.',
  })
  meter
    .createObservableGauge('roomcast_broker_streams', { description: 'Open event streams.' })
    .addCallback((gauge) => gauge.observe(held.count('stream')))
  meter
    .createObservableGauge('roomcast_broker_waiting_polls', {
      description: 'Long polls that wait for a message.',
    })
    .addCallback((gauge) => gauge.observe(held.count('poll')))

  const refused = meter.createCounter('roomcast_broker_refused', {
    description: 'Requests to the HTTP API that were answered with a problem, by its code.',
  })
  for (const reason of Object.keys(ERROR_CODES)) refused.add(0, { reason })
  return {
    requestRefused: (reason) => refused.add(1, { reason }),
    appendAnswered(results, durationMs) {
      duration.record(durationMs / 1_000)
      const counts = { appended: 0, out_of_order: 0, failed: 0 }
      let appendedMessages = 0
      for (const result of results) {
        counts[result.status]++
        if (result.status === 'appended') appendedMessages += result.seqs.length
      }
      if (appendedMessages > 0) messages.add(appendedMessages)
      for (const result of RESULTS) if (counts[result] > 0) appends.add(counts[result], { result })
    },
    publishFailed: (reason) => log.debug({ reason }, 'told a publisher that the log is away'),
    streamTooSlow: (room) => {
      slow.add(1)
      log.debug({ room }, 'ended an event stream whose client did not keep up')
    },
    messageUnreadable: (room, seq, error) => {
      unreadable.add(1)
      log.debug({ room, seq, err: error }, 'left out a message that could not be read')
    },
    internalCallerRefused: (address) => {
      log.debug({ address }, 'refused a caller of an internal path')
    },
  }
}
