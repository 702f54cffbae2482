import type { Log, Telemetry } from '@roomcast/runtime'
import type { CostWrite } from './kubernetes/deletion-cost.ts'
import type { PodWatch } from './kubernetes/pods.ts'
import type { Action } from './plan.ts'

/** What presence asks of the Kubernetes API, as it is labelled. */
const KUBERNETES_USES = ['pods', 'lease', 'deletion_cost', 'external_metrics'] as const
export type KubernetesUse = (typeof KUBERNETES_USES)[number]

/** How often at most the failures of one use are logged as a warning, in milliseconds: an outage is many. */
const WARNING_INTERVAL_MS = 60_000

/** What happens besides counting: one function per fact, each its counter and its log line. */
export interface DutyFacts {
  watchLeader(isLeader: () => boolean): void
  watchPods(pods: Pick<PodWatch, 'ageMs'>): void
  leadershipChanged(isLeader: boolean): void
  kubernetesFailed(use: KubernetesUse, error: unknown): void
  deletionCostWritten(write: CostWrite): void
  shedAsked(action: Action): void
  rebalanceFailed(error: unknown): void
}

/** Registers the instruments. */
export function createDutyFacts({
  telemetry: { meter },
  log,
}: {
  readonly telemetry: Telemetry
  readonly log: Log
}): DutyFacts {
  const leader = meter.createObservableGauge('roomcast_presence_leader', {
    description: '1 on the replica that acts, 0 on the others.',
  })
  const podsAge = meter.createObservableGauge('roomcast_presence_pods_age_seconds', {
    description: "How long ago the Kubernetes API last told of the gateways' Pods.",
    unit: 's',
  })
  const failures = meter.createCounter('roomcast_presence_kubernetes_failures', {
    description: 'Requests to the Kubernetes API that failed, by what they were for.',
  })
  const costs = meter.createCounter('roomcast_presence_pod_patches', {
    description: 'Deletion costs written to Pods.',
  })
  const sheds = meter.createCounter('roomcast_presence_shed_connections', {
    description: 'Connections that gateways were told to send elsewhere.',
  })
  // Zeros from the start: an alert on the first failure needs a number before it.
  for (const use of KUBERNETES_USES) failures.add(0, { use })
  for (const counter of [costs, sheds]) counter.add(0)
  const warnedAtMs = new Map<KubernetesUse, number>()
  const isWarningDue = (use: KubernetesUse): boolean => {
    const nowMs = performance.now()
    if (nowMs - (warnedAtMs.get(use) ?? Number.NEGATIVE_INFINITY) < WARNING_INTERVAL_MS)
      return false
    warnedAtMs.set(use, nowMs)
    return true
  }
  return {
    watchLeader: (isLeader) => leader.addCallback((result) => result.observe(isLeader() ? 1 : 0)),
    watchPods: ({ ageMs }) =>
      podsAge.addCallback((result) => {
        const age = ageMs()
        if (age !== undefined) result.observe(age / 1_000)
      }),
    leadershipChanged: (isLeader) => log.info(isLeader ? 'leads' : 'leads no more'),
    kubernetesFailed: (use, error) => {
      failures.add(1, { use })
      const level = isWarningDue(use) ? 'warn' : 'debug'
      log[level]({ err: error, use }, 'the Kubernetes API did not do what was asked')
    },
    deletionCostWritten: ({ pod, cost }) => {
      costs.add(1)
      log.debug({ pod, cost }, 'wrote a deletion cost')
    },
    shedAsked: ({ instance, connections }) => {
      sheds.add(connections)
      log.info({ instance, connections }, 'told a gateway to shed')
    },
    rebalanceFailed: (error) => log.error({ err: error }, 'rebalancing failed'),
  }
}
