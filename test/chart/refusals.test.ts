import { describe, expect, it } from '@jest/globals'
import { findHelms, type Values } from './helm.ts'

const KEY = '0123456789abcdef'
const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n'
const chat = { enabled: true, host: 'chat.example.org' }

/** Values that no schema takes, and what the refusal names. */
const TYPOS: readonly (readonly [string, Values])[] = [
  ['replica', { gateway: { replica: 3 } }],
  ['gatway', { gatway: {} }],
  ['pingInterval', { gateway: { settings: { pingInterval: 5 } } }],
  ['historySize', { presence: { settings: { historySize: 5 } } }],
  ['quitGraceMs', { gateway: { settings: { quitGraceMs: 'soon' } } }],
  ['quitGraceMs', { gateway: { settings: { quitGraceMs: 600_001 } } }],
  ['existingsecret', { redis: { external: { existingsecret: 'x' } } }],
  ['url', { redis: { external: { url: 'http://redis' } } }],
  ['controller', { ingress: { controller: 'nginx-ingress' } }],
  ['cookie', { ingress: { affinity: { cookie: 'x' } } }],
  ['type', { autoscaling: { type: 'hpa' } }],
  ['slackSeconds', { broker: { drain: { slackSeconds: 1 } } }],
  ['spreadSeconds', { broker: { drain: { spreadSeconds: 1 } } }],
  ['caBundle', { autoscaling: { connections: { caBundle: 'MA==' } } }],
  ['batchPercent', { presence: { rebalance: { batchPercent: 101 } } }],
  ['podDeletionCost', { presence: { settings: { podDeletionCost: true } } }],
  ['digest', { image: { digest: 'latest' } }],
  ['labls', { metrics: { serviceMonitor: { labls: {} } } }],
  ['values', { apiKeys: { values: ['short'] } }],
  ['logLevel', { settings: { logLevel: 'loud' } }],
  ['trustedProxies', { limits: { trustedProxies: ['traefik'] } }],
  ['maxConnections', { gateway: { settings: { maxConnections: 5 } } }],
]

/** Combinations that can not be meant, and the sentence that says what to set. */
const IMPOSSIBLE: readonly (readonly [string, Values])[] = [
  [
    'The internal token is given twice: set internalToken.value or internalToken.existingSecret, not both.',
    { internalToken: { value: KEY, existingSecret: 'x' } },
  ],
  [
    'The API keys are given in more than one way: set one of apiKeys.generate, apiKeys.values and apiKeys.existingSecret.',
    { apiKeys: { generate: true, values: [KEY] } },
  ],
  [
    'limits.connectionsPerAddress would count all that come through the Ingress as one address: set limits.trustedProxies, for instance to 1, or limits.connectionsPerAddress=0.',
    { ingress: chat, limits: { connectionsPerAddress: 20 } },
  ],
  [
    'redis.mode=external needs to know where Redis is: set redis.external.url or redis.external.existingSecret.',
    { redis: { mode: 'external' } },
  ],
  [
    'The URL of Redis is given twice: set redis.external.url or redis.external.existingSecret, not both.',
    { redis: { mode: 'external', external: { url: 'redis://a', existingSecret: 'b' } } },
  ],
  [
    'redis.external is set, but redis.mode is embedded: set redis.mode=external, or leave redis.external alone.',
    { redis: { external: { url: 'redis://a' } } },
  ],
  [
    'redis.waitReplicas is set, but the embedded Valkey has no replicas: set redis.mode=external, or redis.waitReplicas=0.',
    { redis: { waitReplicas: 1 } },
  ],
  [
    'The password of Valkey is given twice: set redis.embedded.auth.password or redis.embedded.auth.existingSecret, not both.',
    { redis: { embedded: { auth: { password: 'a', existingSecret: 'b' } } } },
  ],
  [
    'gateway.terminationGracePeriodSeconds=34 would cut the end of a pod short: set it to 35 or more, to 0 for just that, or shorten gateway.drain.',
    { gateway: { terminationGracePeriodSeconds: 34 } },
  ],
  [
    'broker.terminationGracePeriodSeconds=5 would cut the end of a pod short: set it to 20 or more, to 0 for just that, or shorten broker.drain.',
    { broker: { terminationGracePeriodSeconds: 5 } },
  ],
  [
    'presence.strategy lets a rollout neither add a pod nor take one away: set presence.strategy.maxSurge or presence.strategy.maxUnavailable above 0.',
    { presence: { strategy: { maxSurge: 0, maxUnavailable: '0%' } } },
  ],
  [
    'gateway.service.nodePort and gateway.service.externalTrafficPolicy are for Services that are reached from outside: set gateway.service.type to NodePort or LoadBalancer.',
    { gateway: { service: { nodePort: 30_080 } } },
  ],
  [
    'gateway.service.loadBalancerClass and gateway.service.loadBalancerSourceRanges are for load balancers: set gateway.service.type=LoadBalancer.',
    { gateway: { service: { type: 'NodePort', loadBalancerClass: 'x' } } },
  ],
  [
    'autoscaling.minReplicas is above autoscaling.maxReplicas: set it to that or less.',
    { autoscaling: { type: 'keda', minReplicas: 5, maxReplicas: 4 } },
  ],
  [
    'autoscaling.type=cpu compares with what gateways request: set gateway.resources.requests.cpu.',
    { autoscaling: { type: 'cpu' }, gateway: { resources: { requests: { cpu: null } } } },
  ],
  [
    'autoscaling.type=connections needs presence to use the Kubernetes API: set presence.kubernetes.enabled=true.',
    { autoscaling: { type: 'connections' }, presence: { kubernetes: { enabled: false } } },
  ],
  [
    'autoscaling.type=keda goes by what presence counts: set presence.replicas to 1 or more.',
    { autoscaling: { type: 'keda' }, presence: { replicas: 0 } },
  ],
  [
    'The API server has to know the certificate in autoscaling.connections.existingSecret: set autoscaling.connections.caBundle, or an annotation in autoscaling.connections.apiServiceAnnotations that puts its CA in.',
    { autoscaling: { type: 'connections', connections: { existingSecret: 'mine' } } },
  ],
  [
    'autoscaling.connections.caBundle is for a certificate of your own: set autoscaling.connections.existingSecret too, or leave it empty.',
    { autoscaling: { type: 'connections', connections: { caBundle: PEM } } },
  ],
  [
    'autoscaling.connections is set, but autoscaling.type is cpu: set autoscaling.type=connections, or leave autoscaling.connections alone.',
    { autoscaling: { type: 'cpu', connections: { existingSecret: 'mine', caBundle: PEM } } },
  ],
  [
    'Browsers drop a cookie with SameSite=None that is not Secure: set ingress.affinity.secure=true.',
    { ingress: { ...chat, affinity: { sameSite: 'None' } } },
  ],
  [
    'ingress.controller=envoy-gateway needs a Gateway to attach to: set ingress.gatewayApi.parentRefs.',
    { ingress: { ...chat, controller: 'envoy-gateway' } },
  ],
  [
    'Affinity is an experimental field of the Gateway API with two forms: set ingress.gatewayApi.sessionPersistence to the one that your CRDs have, v1.6 or v1.7, or ingress.affinity.enabled=false.',
    {
      ingress: { ...chat, controller: 'gateway-api', gatewayApi: { parentRefs: [{ name: 'g' }] } },
    },
  ],
  [
    'ingress.gatewayApi.sessionPersistence is for ingress.controller=gateway-api alone: leave it empty.',
    { ingress: { ...chat, gatewayApi: { sessionPersistence: 'v1.6' } } },
  ],
  [
    'ingress.controller=istio needs a Gateway to attach to: set ingress.istio.gateways, for instance to [istio-system/ingressgateway].',
    { ingress: { ...chat, controller: 'istio' } },
  ],
  [
    'ingress.controller=contour needs a host: set ingress.host.',
    { ingress: { enabled: true, controller: 'contour' } },
  ],
  [
    'ingress.controller=nginx needs a host: set ingress.host.',
    { ingress: { enabled: true, controller: 'nginx' } },
  ],
  [
    "ingress.controller=contour needs the certificate's Secret: set ingress.tls.secretName.",
    { ingress: { ...chat, controller: 'contour', tls: { enabled: true } } },
  ],
  [
    'With ingress.controller=istio the Gateway terminates TLS: configure it there, and set ingress.tls.enabled=false.',
    {
      ingress: {
        ...chat,
        controller: 'istio',
        istio: { gateways: ['a/b'] },
        tls: { enabled: true },
      },
    },
  ],
  [
    'A certificate is for a host: set ingress.host, or ingress.tls.enabled=false.',
    { ingress: { enabled: true, tls: { enabled: true } } },
  ],
  [
    'An ALB can wait for 4000 s at most: set ingress.idleTimeoutSeconds to that or less.',
    { ingress: { ...chat, controller: 'alb', idleTimeoutSeconds: 4_001 } },
  ],
  [
    "An ALB's cookie lives for 604800 s at most: set ingress.affinity.maxAgeSeconds to that or less.",
    { ingress: { ...chat, controller: 'alb', affinity: { maxAgeSeconds: 604_801 } } },
  ],
  [
    "GKE's load balancer can wait for 86400 s at most: set ingress.idleTimeoutSeconds to that or less.",
    { ingress: { ...chat, controller: 'gce', idleTimeoutSeconds: 86_401 } },
  ],
  [
    "GKE's cookie lives for 86400 s at most: set ingress.affinity.maxAgeSeconds to that or less.",
    { ingress: { ...chat, controller: 'gce', affinity: { maxAgeSeconds: 86_401 } } },
  ],
  [
    'ingress.api.enabled has no effect by itself: set ingress.enabled=true.',
    { ingress: { api: { enabled: true } }, apiKeys: { generate: true } },
  ],
  [
    'ingress.api.enabled would let everybody in: set apiKeys.generate=true, apiKeys.values or apiKeys.existingSecret.',
    { ingress: { ...chat, api: { enabled: true } } },
  ],
  [
    'ingress.presence.enabled would let everybody in: set apiKeys.generate=true, apiKeys.values or apiKeys.existingSecret.',
    { ingress: { ...chat, presence: { enabled: true, host: 'presence.example.org' } } },
  ],
  [
    'The paths of presence and of the others are alike: set ingress.presence.host to a host of its own.',
    {
      ingress: { ...chat, presence: { enabled: true, host: 'chat.example.org' } },
      apiKeys: { values: [KEY] },
    },
  ],
  [
    'networkPolicy.enabled would keep KEDA from what presence counts: set networkPolicy.apiClients to let it in.',
    { networkPolicy: { enabled: true }, autoscaling: { type: 'keda' } },
  ],
  [
    'networkPolicy.enabled would keep the ingress controller from what ingress.api.enabled makes public: set networkPolicy.apiClients to let it in.',
    {
      networkPolicy: { enabled: true },
      ingress: { ...chat, api: { enabled: true } },
      apiKeys: { values: [KEY] },
    },
  ],
]

describe.each(await findHelms())('$name', (helm) => {
  it.each(TYPOS)('refuses what is not a value and names it: %s', async (key, values) => {
    expect(await helm.refusal(values)).toContain(key)
  })

  it.each(IMPOSSIBLE)('refuses: %s', async (sentence, values) => {
    expect(await helm.refusal(values)).toContain(sentence)
  })

  it('takes what a parent chart keeps in global', async () => {
    await helm.render({ global: { storageClass: 'fast', imageRegistry: '' } })
  })
})
