import { watchReplicas, type InternalAccess } from '@roomcast/runtime'
import { z } from 'zod'
import { repeat } from './repeat.ts'

/** How often the replicas are asked who they are, in milliseconds. */
const ASK_INTERVAL_MS = 2_000
/** How long a replica may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 1_000
/** How many of these intervals one leads without having found again that he is the first. */
const LEADS_INTERVALS = 3

/** Path at which a replica says which one it is. */
export const REPLICA_PATH = '/internal/replica'
export const ReplicaView = z.object({ replica: z.string() })

/** Whether this replica is the one that acts. At most one is, except as each kind of election says. */
export interface Leadership {
  isLeader(): boolean
  /** Gives it up where that is possible, so that another need not wait. Idempotent. */
  close(): Promise<void>
}

/** A replica that is alone leads. */
export const alone: Leadership = { isLeader: () => true, close: () => Promise.resolve() }

/**
 * The first replica of the list that answers leads: for replicas outside of Kubernetes. Replicas that do not reach each other may lead at
 * the same time, so what a leader does has to be harmless when two do it. `replica` is the name under which this one answers.
 */
export async function followPeers({
  peers,
  replica,
  internal,
  clock,
  intervalMs = ASK_INTERVAL_MS,
}: {
  /** Base URLs, the same for every replica, and this one's among them. */
  readonly peers: readonly string[]
  readonly replica: string
  readonly internal: Pick<InternalAccess, 'headers'>
  /** Never jumps; in milliseconds. */
  readonly clock: () => number
  readonly intervalMs?: number
}): Promise<Leadership> {
  const replicas = await watchReplicas(peers)
  let leadsUntilMs = 0
  const ask = async (url: string): Promise<string | undefined> => {
    try {
      const answer = await fetch(url + REPLICA_PATH, {
        headers: internal.headers(),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      })
      return answer.ok ? ReplicaView.parse(await answer.json()).replica : undefined
    } catch {
      // One that does not answer is passed over; that it does not is for its own log and probes to tell.
      return undefined
    }
  }
  const asking = repeat(
    () => intervalMs,
    async () => {
      const startMs = clock()
      const answers = await Promise.all(replicas.list().map(ask))
      const first = answers.find((answer) => answer !== undefined)
      leadsUntilMs = first === replica ? startMs + LEADS_INTERVALS * intervalMs : 0
    },
    () => undefined,
  )
  return {
    isLeader: () => clock() < leadsUntilMs,
    close: async () => {
      replicas.close()
      await asking.close()
      leadsUntilMs = 0
    },
  }
}
