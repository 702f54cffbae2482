import { count, flag, ms, port, SettingsError, urls, type SettingsShape } from '@roomcast/runtime'
import { z } from 'zod'
import type { RebalanceConfig } from './rebalance.ts'

/** Settings of what presence does besides counting. */
export const dutiesSettings = {
  PRESENCE_PEERS: urls(['http', 'https'])
    .optional()
    .describe(
      'Base URLs of all replicas of presence, this one included, outside of Kubernetes: the first that answers acts. Unset, this replica is alone.',
    ),
  GATEWAY_SELECTOR: z
    .string()
    .max(1_024)
    .optional()
    .describe(
      "Labels of the gateways' Pods, as `a=b,c=d`. With it presence uses the Kubernetes API: it watches these Pods, and one replica is elected to act.",
    ),
  POD_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, { error: 'must be the name of a namespace' })
    .optional()
    .describe('Namespace of the Pods, from the downward API. Required with `GATEWAY_SELECTOR`.'),
  LEASE_NAME: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, { error: 'must be the name of a Lease' })
    .default('roomcast-presence')
    .describe('Lease by which replicas elect the one that acts. One for each installation.'),
  KUBERNETES_SERVICE_HOST: z
    .string()
    .optional()
    .describe('Host of the Kubernetes API, set by Kubernetes in every Pod.'),
  KUBECONFIG: z
    .string()
    .optional()
    .describe('File that says where the Kubernetes API is. Unset, the service account of the Pod.'),
  POD_DELETION_COST: flag(false).describe(
    'Whether presence annotates Pods with what their deletion costs, so that scaling down takes the emptiest gateway. Needs the right to patch Pods.',
  ),
  REBALANCE: flag(false).describe(
    'Whether gateways with more connections than the others are told to send some elsewhere, a few at a time.',
  ),
  REBALANCE_TOLERANCE_PERCENT: count(30, 1, 1_000).describe(
    'How far above the mean of all gateways one may be.',
  ),
  REBALANCE_BATCH_PERCENT: count(5, 1, 100).describe(
    'Part of its connections that a gateway sends elsewhere in one round.',
  ),
  REBALANCE_INTERVAL_MS: ms(30_000, 3_600_000, 1_000).describe(
    'Time between two rounds, and after a gateway came or went.',
  ),
  EXTERNAL_METRICS_PORT: port(0)
    .unwrap()
    .optional()
    .describe(
      'Port at which presence serves `external.metrics.k8s.io` over TLS, for a HorizontalPodAutoscaler without an adapter. Unset, it does not.',
    ),
  EXTERNAL_METRICS_CERT_FILE: z
    .string()
    .optional()
    .describe('Certificate for it, PEM. Read again every 5 minutes.'),
  EXTERNAL_METRICS_KEY_FILE: z.string().optional().describe('Its private key, PEM.'),
  EXTERNAL_METRICS_CLIENT_CA_FILE: z
    .string()
    .optional()
    .describe(
      'CA of the front proxy, PEM, by which the API server is known. Unset, what `kube-system/extension-apiserver-authentication` says.',
    ),
} satisfies SettingsShape

/** What presence does besides counting. */
export interface DutiesConfig {
  /** Empty: this replica is alone. */
  readonly peers: readonly string[]
  readonly kubernetes: KubernetesConfig | undefined
  readonly rebalance: RebalanceConfig | undefined
  readonly externalMetrics: ExternalMetricsConfig | undefined
}

export interface KubernetesConfig {
  readonly namespace: string
  readonly gatewaySelector: string
  readonly leaseName: string
  readonly kubeconfigFile: string | undefined
  readonly deletionCost: boolean
}

export interface ExternalMetricsConfig {
  readonly port: number
  readonly namespace: string
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile: string | undefined
}

/** Throws a `SettingsError` that names every setting that another one needs and that is missing. */
export function dutiesOf(settings: z.output<z.ZodObject<typeof dutiesSettings>>): DutiesConfig {
  const faults: string[] = []
  const required = (name: keyof typeof dutiesSettings, because: string): string => {
    const value = settings[name]
    if (typeof value === 'string') return value
    faults.push(`${name}: is required with ${because}`)
    return ''
  }
  const isSelecting = settings.GATEWAY_SELECTOR !== undefined
  if (isSelecting && settings.KUBECONFIG === undefined)
    required('KUBERNETES_SERVICE_HOST', 'GATEWAY_SELECTOR outside of a Pod, or KUBECONFIG')
  if (settings.POD_DELETION_COST) required('GATEWAY_SELECTOR', 'POD_DELETION_COST')
  const kubernetes: KubernetesConfig | undefined = isSelecting
    ? {
        namespace: required('POD_NAMESPACE', 'GATEWAY_SELECTOR'),
        gatewaySelector: required('GATEWAY_SELECTOR', 'itself'),
        leaseName: settings.LEASE_NAME,
        kubeconfigFile: settings.KUBECONFIG,
        deletionCost: settings.POD_DELETION_COST,
      }
    : undefined
  const served = 'EXTERNAL_METRICS_PORT'
  const externalMetrics: ExternalMetricsConfig | undefined =
    settings.EXTERNAL_METRICS_PORT === undefined
      ? undefined
      : {
          port: settings.EXTERNAL_METRICS_PORT,
          namespace: required('POD_NAMESPACE', served),
          certFile: required('EXTERNAL_METRICS_CERT_FILE', served),
          keyFile: required('EXTERNAL_METRICS_KEY_FILE', served),
          clientCaFile: settings.EXTERNAL_METRICS_CLIENT_CA_FILE,
        }
  if (externalMetrics !== undefined && externalMetrics.clientCaFile === undefined && !isSelecting)
    faults.push(
      `EXTERNAL_METRICS_CLIENT_CA_FILE: is required with ${served} without GATEWAY_SELECTOR`,
    )
  if (faults.length > 0) throw new SettingsError([...new Set(faults)])
  return {
    peers: settings.PRESENCE_PEERS ?? [],
    kubernetes,
    rebalance: settings.REBALANCE
      ? {
          tolerance: settings.REBALANCE_TOLERANCE_PERCENT / 100,
          batch: settings.REBALANCE_BATCH_PERCENT / 100,
          intervalMs: settings.REBALANCE_INTERVAL_MS,
        }
      : undefined,
    externalMetrics,
  }
}
