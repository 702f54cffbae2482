import type { Values } from './helm.ts'

/** What each controller needs to be told besides its name. */
const NEEDS: Readonly<Record<string, Values>> = {
  traefik: {},
  nginx: {},
  'ingress-nginx': {},
  haproxy: {},
  haproxytech: {},
  contour: {},
  alb: {},
  gce: {},
  'envoy-gateway': { gatewayApi: { parentRefs: [{ name: 'public', namespace: 'gateways' }] } },
  istio: { istio: { gateways: ['istio-system/ingressgateway'] } },
  'gateway-api': {
    gatewayApi: { parentRefs: [{ name: 'public' }], sessionPersistence: 'v1.6' },
  },
  none: {},
}
/** Every value of `ingress.controller`. */
export const CONTROLLERS: readonly string[] = Object.keys(NEEDS)
const BY_GATEWAY = ['envoy-gateway', 'istio', 'gateway-api']

/** Values that turn the Ingress on. */
export const ingress = (controller: string, more: Values = {}): Values => ({
  ingress: {
    enabled: true,
    controller,
    host: 'chat.example.org',
    ...NEEDS[controller],
    ...more,
  },
})

/** With every option that all controllers share: TLS where it is ours, both APIs. */
export const everything = (controller: string): Values => ({
  apiKeys: { existingSecret: 'keys' },
  ...ingress(controller, {
    api: { enabled: true },
    presence: { enabled: true, host: 'presence.example.org' },
    ...(BY_GATEWAY.includes(controller) ? {} : { tls: { enabled: true, secretName: 'chat-tls' } }),
  }),
})

/** Values that are tried with each controller, and by what name. */
export const CASES: readonly (readonly [string, (controller: string) => Values])[] = [
  ['', (controller) => ingress(controller)],
  ['-no-affinity', (controller) => ingress(controller, { affinity: { enabled: false } })],
  ['-everything', everything],
]
