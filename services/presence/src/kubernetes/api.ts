import { getSourceMapsSupport, setSourceMapsSupport } from 'node:module'
import type {
  Informer,
  RequestContext,
  ResponseContext,
  V1Lease,
  V1ObjectMeta,
  V1Pod,
} from '@kubernetes/client-node'
import { StartError } from '@roomcast/runtime'
import { z } from 'zod'
import type { KnownPod } from '../state.ts'
import { apiErrorOf, type ApiError } from './api-error.ts'
import type { LeaseTerms, StoredLease } from './lease.ts'

/** How long one request may take, in milliseconds: several fit into the time in which a leader has to renew. */
const REQUEST_TIMEOUT_MS = 4_000
/** How long connections of one pool are used, in milliseconds: then the certificates are read again. */
const POOL_LIFE_MS = 600_000
const LEASE_LABELS = { 'app.kubernetes.io/part-of': 'roomcast' }

/** Where the API is, and who asks. */
export interface KubernetesAccess {
  readonly namespace: string
  /** A kubeconfig; undefined: the service account of the pod in which this process runs. */
  readonly kubeconfigFile: string | undefined
}

/** A gateway's pod, as far as it matters here. */
export interface GatewayPod extends KnownPod {
  /** Undefined: none is written, which counts as 0, or it is no number. */
  readonly deletionCost: number | undefined
}

export const DELETION_COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost'

/** The few requests that presence makes, all in one namespace. Each is bounded in time and throws when it fails. */
export interface KubernetesApi {
  /** Lists and watches pods; stops at its first `error`. */
  podInformer(labelSelector: string): Informer<V1Pod>
  /** Undefined when there is none. */
  readLease(name: string): Promise<StoredLease | undefined>
  /** `conflict`: somebody else made it first. */
  createLease(name: string, terms: LeaseTerms): Promise<StoredLease | 'conflict'>
  /** Writes the terms if the lease is still of that version; `conflict`: it is not. */
  replaceLease(name: string, version: string, terms: LeaseTerms): Promise<StoredLease | 'conflict'>
  /** `gone`: the pod does not exist. */
  writeDeletionCost(pod: string, cost: number): Promise<'written' | 'gone'>
  /** The data of a ConfigMap of any namespace. */
  readConfigMap(namespace: string, name: string): Promise<Readonly<Record<string, string>>>
}

/** Loads the client, which is large, and finds out where the API is; asks it nothing yet. */
export async function connectKubernetes({
  namespace,
  kubeconfigFile,
}: KubernetesAccess): Promise<KubernetesApi> {
  // With `--enable-source-maps` those of its 900 modules would be read and kept, and nobody debugs them here.
  const { enabled, generatedCode } = getSourceMapsSupport()
  setSourceMapsSupport(enabled, { nodeModules: false, generatedCode })
  const k8s = await import('@kubernetes/client-node')
  const kubeconfig = new k8s.KubeConfig()
  try {
    if (kubeconfigFile === undefined) kubeconfig.loadFromCluster()
    else kubeconfig.loadFromFile(kubeconfigFile)
  } catch (error) {
    throw new StartError(`the kubeconfig ${kubeconfigFile} can not be used: ${String(error)}`)
  }
  const server = kubeconfig.getCurrentCluster()?.server
  if (server === undefined) throw new StartError(`${kubeconfigFile} names no current cluster`)

  // The client makes a pool of connections for each request, so that each costs a TLS handshake: the first one made is kept.
  let pool: { readonly dispatcher: ReturnType<RequestContext['getDispatcher']>; endMs: number }
  const bounded = {
    pre: (request: RequestContext): Promise<RequestContext> => {
      const nowMs = performance.now()
      if (pool === undefined || nowMs > pool.endMs)
        pool = { dispatcher: request.getDispatcher(), endMs: nowMs + POOL_LIFE_MS }
      if (pool.dispatcher !== undefined) request.setDispatcher(pool.dispatcher)
      request.setSignal(AbortSignal.timeout(REQUEST_TIMEOUT_MS))
      return Promise.resolve(request)
    },
    post: (response: ResponseContext) => Promise.resolve(response),
  }
  /** A connection that broke may have taken its pool with it: the next request begins with a new one. */
  const call = async <T>(what: string, request: Promise<T>): Promise<T> => {
    try {
      return await request
    } catch (error) {
      const told = apiErrorOf(what, error)
      if (told.status === undefined && pool !== undefined) pool.endMs = 0
      throw told
    }
  }
  const configuration = k8s.createConfiguration({
    baseServer: new k8s.ServerConfiguration(server, {}),
    authMethods: { default: kubeconfig },
    promiseMiddleware: [bounded],
  })
  const core = new k8s.CoreV1Api(configuration)
  const leases = new k8s.CoordinationV1Api(configuration)
  /** Of the lease as it was read last. They are for whoever made it, a Helm release, say: a replacement without them takes them away. */
  let marks: Pick<V1ObjectMeta, 'labels' | 'annotations'> = { labels: LEASE_LABELS }
  const leaseOf = (name: string, terms: LeaseTerms, version?: string): V1Lease => ({
    metadata: {
      name,
      namespace,
      ...marks,
      ...(version === undefined ? {} : { resourceVersion: version }),
    },
    spec: {
      holderIdentity: terms.holder,
      // Kubernetes refuses a duration of 0.
      leaseDurationSeconds: Math.max(1, Math.round(terms.durationMs / 1_000)),
      acquireTime: new k8s.V1MicroTime(terms.acquiredAtMs),
      renewTime: new k8s.V1MicroTime(terms.renewedAtMs),
      leaseTransitions: terms.transitions,
    },
  })

  return {
    podInformer: (labelSelector) =>
      k8s.makeInformer(
        kubeconfig,
        `/api/v1/namespaces/${namespace}/pods`,
        () => call('listing pods', core.listNamespacedPod({ namespace, labelSelector })),
        labelSelector,
      ),
    readLease: async (name) => {
      const found = await or(404, undefined, () =>
        call('reading the lease', leases.readNamespacedLease({ name, namespace })),
      )
      if (found === undefined) return undefined
      const { labels, annotations } = found.metadata ?? {}
      marks = { ...(labels && { labels }), ...(annotations && { annotations }) }
      return parseLease(found)
    },
    createLease: async (name, terms) => {
      const made = await or(409, 'conflict' as const, () =>
        call(
          'creating the lease',
          leases.createNamespacedLease({ namespace, body: leaseOf(name, terms) }),
        ),
      )
      return made === 'conflict' ? made : parseLease(made)
    },
    replaceLease: async (name, version, terms) => {
      const body = leaseOf(name, terms, version)
      // A lease that was deleted is as little ours as one that somebody else wrote.
      const written = await or([409, 404], 'conflict' as const, () =>
        call('writing the lease', leases.replaceNamespacedLease({ name, namespace, body })),
      )
      return written === 'conflict' ? written : parseLease(written)
    },
    writeDeletionCost: async (name, cost) => {
      const body = { metadata: { annotations: { [DELETION_COST_ANNOTATION]: String(cost) } } }
      const patched = await or(404, 'gone' as const, () =>
        call(
          'writing a deletion cost',
          core.patchNamespacedPod(
            { name, namespace, body },
            k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
          ),
        ),
      )
      return patched === 'gone' ? patched : 'written'
    },
    readConfigMap: async (from, name) =>
      (await call('reading a ConfigMap', core.readNamespacedConfigMap({ name, namespace: from })))
        .data ?? {},
  }
}

/** What a pod's object says, which the client passes on unchecked; undefined when it is no pod with a name. */
export function parsePod(object: unknown): GatewayPod | undefined {
  const { data: pod } = PodObject.safeParse(object)
  if (pod === undefined) return undefined
  const { metadata, status } = pod
  const cost = metadata.annotations?.[DELETION_COST_ANNOTATION]
  return {
    uid: metadata.uid,
    name: metadata.name,
    ip: status?.podIP ?? '',
    createdAtMs: metadata.creationTimestamp?.getTime() ?? 0,
    isTerminating: metadata.deletionTimestamp !== undefined,
    isOver: status?.phase === 'Succeeded' || status?.phase === 'Failed',
    deletionCost: cost !== undefined && /^-?\d{1,10}$/.test(cost) ? Number(cost) : undefined,
  }
}

/** Lists hold dates, watches their texts. */
const PodObject = z.object({
  metadata: z.object({
    uid: z.string().min(1),
    name: z.string().min(1),
    creationTimestamp: z.coerce.date().optional(),
    deletionTimestamp: z.coerce.date().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  status: z.object({ phase: z.string().optional(), podIP: z.string().optional() }).optional(),
})

/** What is missing means what client-go takes it for: nobody holds it, for no time. The client's types are not what it returns. */
function parseLease(object: unknown): StoredLease {
  const { metadata, spec } = LeaseObject.parse(object)
  return {
    version: metadata.resourceVersion,
    holder: spec?.holderIdentity ?? '',
    durationMs: (spec?.leaseDurationSeconds ?? 0) * 1_000,
    acquiredAtMs: spec?.acquireTime?.getTime() ?? 0,
    renewedAtMs: spec?.renewTime?.getTime() ?? 0,
    transitions: spec?.leaseTransitions ?? 0,
  }
}

const LeaseObject = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z
    .object({
      holderIdentity: z.string().optional(),
      leaseDurationSeconds: z.number().optional(),
      acquireTime: z.coerce.date().optional(),
      renewTime: z.coerce.date().optional(),
      leaseTransitions: z.number().optional(),
    })
    .optional(),
})

async function or<T, F>(
  codes: number | readonly number[],
  fallback: F,
  request: () => Promise<T>,
): Promise<T | F> {
  try {
    return await request()
  } catch (error) {
    const { status } = error as ApiError
    if (status !== undefined && [codes].flat().includes(status)) return fallback
    throw error
  }
}
