import { randomUUID } from 'node:crypto'
import { Closer, type InternalAccess } from '@roomcast/runtime'
import { startAnnouncing } from './announcer.ts'
import type { DutiesConfig } from './duties-config.ts'
import type { DutyFacts } from './duty-facts.ts'
import { connectKubernetes, type KubernetesApi } from './kubernetes/api.ts'
import { keepDeletionCosts } from './kubernetes/deletion-cost.ts'
import { standForElection } from './kubernetes/election.ts'
import { serveExternalMetrics } from './kubernetes/external-metrics.ts'
import { readFrontProxy } from './kubernetes/front-proxy.ts'
import { watchPods } from './kubernetes/pods.ts'
import { alone, followPeers, type Leadership } from './leader.ts'
import { startRebalance } from './rebalance.ts'
import type { Reports } from './reports.ts'
import { apply, type PresenceState } from './state.ts'
import { connectionsByPod, statsOf } from './views.ts'

interface Deps {
  readonly state: PresenceState
  /** Address to listen on. */
  readonly host: string
  /** Name of this replica's pod. */
  readonly pod: string
  /** Name of this replica's process, new with each start. */
  readonly replica: string
  readonly internal: Pick<InternalAccess, 'headers'>
  readonly facts: DutyFacts
  readonly now: () => number
  readonly reports: Pick<Reports, 'shed' | 'announce'>
}

/**
 * What this replica does besides counting: watches the gateways' pods, stands for election and does what the leader does, serves the
 * metrics API. Nothing here is needed for counting: an API server that is away is logged and tried again. Rejects when a setting can not work.
 */
export async function startDuties(
  config: DutiesConfig,
  deps: Deps,
): Promise<{ close(): Promise<void> }> {
  const { state, facts, now } = deps
  const closer = new Closer()
  const clock = (): number => performance.now()
  try {
    const { kubernetes, rebalance, externalMetrics } = config
    const api =
      kubernetes === undefined
        ? undefined
        : await connectKubernetes({
            namespace: kubernetes.namespace,
            kubeconfigFile: kubernetes.kubeconfigFile,
          })
    const leadership = await lead(config, deps, api, clock)
    facts.watchLeader(leadership.isLeader)
    closer.add(leadership.close)
    const isLeader = (): boolean => leadership.isLeader()

    if (kubernetes !== undefined && api !== undefined) {
      const pods = watchPods({
        api,
        selector: kubernetes.gatewaySelector,
        clock,
        onChange: (found) => void apply(state, { t: 'pods', pods: found }, now()),
        onFailure: (error) => facts.kubernetesFailed('pods', error),
      })
      facts.watchPods(pods)
      closer.add(pods.close)
      if (kubernetes.deletionCost) {
        const costs = keepDeletionCosts({
          api,
          pods: pods.list,
          connections: () => (state.isComplete ? connectionsByPod(state) : undefined),
          isLeader,
          clock,
          onWrite: facts.deletionCostWritten,
          onFailure: (error) => facts.kubernetesFailed('deletion_cost', error),
        })
        closer.add(costs.close)
      }
    }
    const announcing = startAnnouncing({ state, isLeader, reports: deps.reports })
    closer.add(announcing.close)
    if (rebalance !== undefined) {
      const { shed } = deps.reports
      const onFailure = facts.rebalanceFailed
      const rounds = startRebalance(rebalance, {
        state,
        isLeader,
        clock,
        shed,
        onShed: facts.shedAsked,
        onFailure,
      })
      closer.add(rounds.close)
    }
    if (externalMetrics !== undefined) {
      const { clientCaFile } = externalMetrics
      const metrics = await serveExternalMetrics({
        ...externalMetrics,
        host: deps.host,
        frontProxy: () => {
          if (clientCaFile !== undefined) return readFrontProxy({ caFile: clientCaFile })
          if (api === undefined) throw new Error('there is no Kubernetes API to ask for the CA')
          return readFrontProxy({ api })
        },
        values: () => {
          const { connections, gateways, complete } = statsOf(state)
          return complete
            ? { roomcast_connections: connections, roomcast_gateways: gateways }
            : undefined
        },
        now,
        onFailure: (error) => facts.kubernetesFailed('external_metrics', error),
      })
      closer.add(metrics.close)
    }
    return { close: closer.close }
  } catch (error) {
    await closer.close()
    throw error
  }
}

async function lead(
  { kubernetes, peers }: DutiesConfig,
  { pod, replica, internal, facts, now }: Deps,
  api: KubernetesApi | undefined,
  clock: () => number,
): Promise<Leadership> {
  if (kubernetes !== undefined && api !== undefined) {
    return standForElection({
      api,
      name: kubernetes.leaseName,
      // As client-go's: for people the pod, and something that no other process has.
      identity: `${pod}_${randomUUID()}`,
      clock,
      now,
      onChange: facts.leadershipChanged,
      onFailure: (error) => facts.kubernetesFailed('lease', error),
    })
  }
  return peers.length === 0 ? alone : followPeers({ peers, replica, internal, clock })
}
