import { GATEWAYS_MAX } from '../state.ts'
import { pause, repeat } from '../repeat.ts'
import { apiErrorOf } from './api-error.ts'
import { parsePod, type GatewayPod, type KubernetesApi } from './api.ts'

/** How long one list is kept current by a watch, in milliseconds: then pods are listed again, whatever the watch missed. */
const RELIST_MS = 120_000
/** Waits before trying again double from the first to the last of these, in milliseconds, less up to half at random. */
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 10_000
/** Pods that are remembered: more report to no replica anyway, and half as many again may be on their way out. */
const PODS_MAX = 1.5 * GATEWAYS_MAX
/** How long closing waits for a request that is under way, in milliseconds. */
const CLOSE_WAIT_MS = 1_000

/** The gateways' pods as the API tells of them. */
export interface PodWatch {
  /** Undefined until they were listed once; afterwards what was heard last, however old. */
  list(): readonly GatewayPod[] | undefined
  /** Milliseconds since the API was heard, `RELIST_MS` and a little at most while all is well; undefined before the first list. */
  ageMs(): number | undefined
  close(): Promise<void>
}

/**
 * Keeps the list of pods current: listed, watched, listed again every two minutes. The client's informer ends at its first error,
 * and some watches die without one; both cost freshness alone, since each list begins a new informer and the old list stays until then.
 */
export function watchPods({
  api,
  selector,
  clock,
  onChange,
  onFailure,
  relistMs = RELIST_MS,
  retryMinMs = RETRY_MIN_MS,
}: {
  readonly api: Pick<KubernetesApi, 'podInformer'>
  /** Labels of the gateways' pods, as `a=b,c=d`. */
  readonly selector: string
  /** Never jumps; in milliseconds. */
  readonly clock: () => number
  /** All pods, whenever what is known of them may have changed. */
  readonly onChange: (pods: readonly GatewayPod[]) => void
  readonly onFailure: (error: unknown) => void
  readonly relistMs?: number
  readonly retryMinMs?: number
}): PodWatch {
  let known: ReadonlyMap<string, GatewayPod> | undefined
  let heardAtMs: number | undefined
  let failures = 0
  let roundAtMs = 0

  /** Resolves when it is time to list again; rejects when the watch ended. */
  const round = async (signal: AbortSignal): Promise<void> => {
    roundAtMs = clock()
    const informer = api.podInformer(selector)
    const pods = new Map<string, GatewayPod>()
    let fault: { readonly error: unknown } | undefined
    const over = new AbortController()
    const end = (): void => over.abort()
    signal.addEventListener('abort', end)
    informer.on('error', (error: unknown) => {
      fault ??= { error }
      end()
    })
    const heard = (): void => {
      // Until the list is whole it is not what is known.
      if (known !== pods) return
      heardAtMs = clock()
      onChange([...pods.values()])
    }
    const put = (object: unknown): void => {
      const pod = parsePod(object)
      if (pod !== undefined && (pods.has(pod.name) || pods.size < PODS_MAX)) pods.set(pod.name, pod)
      heard()
    }
    informer.on('add', put)
    informer.on('update', put)
    informer.on('delete', (object) => {
      pods.delete(object.metadata?.name ?? '')
      heard()
    })
    try {
      await informer.start()
      if (fault === undefined) {
        known = pods
        heard()
        await pause(relistMs, over.signal)
      }
    } finally {
      // Stopped only once it has started: before, it does not know yet what to end.
      await informer.stop()
      signal.removeEventListener('abort', end)
    }
    if (fault !== undefined) throw apiErrorOf('watching pods', fault.error)
    failures = 0
  }

  const rounds = repeat(
    () => {
      if (failures === 0) return 0
      const longestMs = Math.min(retryMinMs * 2 ** (failures - 1), RETRY_MAX_MS)
      return longestMs * (1 - Math.random() / 2)
    },
    round,
    (error) => {
      // A watch that lasted was well; one that ends again and again is not, although each list succeeds.
      failures = clock() - roundAtMs > RETRY_MAX_MS ? 1 : failures + 1
      onFailure(error)
    },
  )
  return {
    list: () => (known === undefined ? undefined : [...known.values()]),
    ageMs: () => (heardAtMs === undefined ? undefined : clock() - heardAtMs),
    close: async () => {
      const late = new AbortController()
      await Promise.race([rounds.close(), pause(CLOSE_WAIT_MS, late.signal)])
      late.abort()
    },
  }
}
