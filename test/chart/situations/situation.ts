/**
 * Situations for the chart's alerts: series as promtool writes them, a sample a minute, and which alert of one name there is then.
 * Each alert has situations in which it fires and in which, hardly different, it is quiet.
 */

export interface Situation {
  readonly alert: string
  /** What is going on. */
  readonly when: string
  /** By name and labels; values in promtool's notation. */
  readonly series: Readonly<Record<string, string>>
  /** When to look, in minutes. */
  readonly at: number
  /** The alerts that fire: their labels besides those that all have, and their description. */
  readonly fires: readonly {
    readonly labels?: Readonly<Record<string, string>>
    readonly says: string
  }[]
}

export type Pod =
  'gateway' | 'gateway 2' | 'broker' | 'presence' | 'presence 2' | 'valkey' | 'other gateway'

/** Names of pods as Kubernetes makes them; the last is of a release whose name begins in the same way. */
export const PODS: Readonly<Record<Pod, string>> = {
  gateway: 'chat-roomcast-gateway-5d9f7c6b8-x2x41',
  'gateway 2': 'chat-roomcast-gateway-5d9f7c6b8-x2x42',
  broker: 'chat-roomcast-broker-7c9d8f6b5-b4b41',
  presence: 'chat-roomcast-presence-6f8d9c7b4-p3p31',
  'presence 2': 'chat-roomcast-presence-6f8d9c7b4-p3p32',
  valkey: 'chat-roomcast-valkey-0',
  'other gateway': 'chat-roomcast-gateway-gateway-5d9f7c6b8-x2x41',
}

export function of(pod: Pod, name: string, labels: Readonly<Record<string, string>> = {}): string {
  const all = { namespace: 'rooms', pod: PODS[pod], ...labels }
  return `${name}{${Object.entries(all)
    .map(([label, value]) => `${label}="${value}"`)
    .join(', ')}}`
}

export const ready = (pod: Pod): string => of(pod, 'roomcast_ready')
export const connections = (pod: Pod, transport = 'websocket'): string =>
  of(pod, 'roomcast_gateway_connections', { transport })
export const gatewayPod = { pod: PODS.gateway }

/** Observations of a histogram a minute, so many in the bucket up to `le` and the rest in the next one. */
export function histogram(
  pod: Pod,
  name: string,
  { le, within, beyond, next }: { le: string; within: number; beyond: number; next: string },
): Record<string, string> {
  const bucket = (bound: string): string => of(pod, `${name}_bucket`, { le: bound })
  const all = `0+${within + beyond}x30`
  return { [bucket(le)]: `0+${within}x30`, [bucket(next)]: all, [bucket('+Inf')]: all }
}
