import { describe, expect, it } from '@jest/globals'
import { VERSION } from '../../services/runtime/src/version.ts'
import { at, COMPONENTS, envOf, find, findHelms, kinds, type Helm, type Values } from './helm.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const pod = 'spec.template.spec'
const container = `${pod}.containers.0`

describe.each(await findHelms())('with $name', (helm: Helm) => {
  const imageOf = async (values: Values, kind = 'Deployment', name = 'broker'): Promise<unknown> =>
    at(find(await helm.render(values), kind, name), `${container}.image`)

  it('an image is named by registry, repository, and tag or digest', async () => {
    const image = { registry: 'registry.example.org', repository: 'team/roomcast', tag: '2.0' }
    expect(await imageOf({ image })).toBe('registry.example.org/team/roomcast:2.0')
    expect(await imageOf({ image: { ...image, digest: DIGEST } })).toBe(
      `registry.example.org/team/roomcast@${DIGEST}`,
    )
    expect(await imageOf({ image: { repository: 'docker.io/library/roomcast', tag: 'dev' } })).toBe(
      'docker.io/library/roomcast:dev',
    )
  })

  it('one global registry is that of every image', async () => {
    const values = {
      global: { imageRegistry: 'mirror.example.org', imagePullSecrets: [{ name: 'mirror' }] },
      imagePullSecrets: [{ name: 'own' }],
    }
    expect(await imageOf(values)).toBe(`mirror.example.org/roomcast:${VERSION}`)
    expect(await imageOf(values, 'StatefulSet', 'valkey')).toBe(
      'mirror.example.org/valkey/valkey:8.1',
    )
    const resources = await helm.render(values)
    expect(at(find(resources, 'Pod', 'test'), 'spec.containers.0.image')).toBe(
      `mirror.example.org/roomcast:${VERSION}`,
    )
    expect(at(find(resources, 'Deployment', 'gateway'), `${pod}.imagePullSecrets`)).toEqual([
      { name: 'mirror' },
      { name: 'own' },
    ])
  })

  it('settings become environment: large numbers, lists, flags, and those of all services', async () => {
    const resources = await helm.render({
      settings: { logLevel: 'debug', textMaxBytes: 8_192 },
      gateway: {
        settings: {
          corsOrigins: ['https://a.example.org', 'https://b.example.org'],
          allowEio3: false,
        },
      },
      broker: { settings: { historyTtlMs: 604_800_000 } },
    })
    expect(envOf(resources, 'gateway').get('CORS_ORIGINS')?.value).toBe(
      'https://a.example.org,https://b.example.org',
    )
    expect(envOf(resources, 'gateway').get('ALLOW_EIO3')?.value).toBe('false')
    expect(envOf(resources, 'broker').get('HISTORY_TTL_MS')?.value).toBe('604800000')
    for (const component of COMPONENTS) {
      expect(envOf(resources, component).get('LOG_LEVEL')?.value).toBe('debug')
    }
    expect(envOf(resources, 'gateway').get('TEXT_MAX_BYTES')?.value).toBe('8192')
  })

  it('limits are those of the values, and whose X-Forwarded-For counts is told to every service', async () => {
    const resources = await helm.render({
      limits: { trustedProxies: ['10.0.0.0/8', 'fd00::/8'], connectionsPerAddress: 20 },
    })
    const gateway = envOf(resources, 'gateway')
    expect(gateway.get('CONNECTIONS_PER_ADDRESS')?.value).toBe('20')
    expect(gateway.get('MAX_CONNECTIONS')?.value).toBe('50000')
    expect(envOf(resources, 'presence').get('HTTP_RATE_PER_SECOND')?.value).toBe('1000')
    for (const component of COMPONENTS)
      expect(envOf(resources, component).get('TRUSTED_PROXIES')?.value).toBe('10.0.0.0/8,fd00::/8')
    const hops = envOf(await helm.render({ limits: { trustedProxies: 1 } }), 'gateway')
    expect(hops.get('TRUSTED_PROXIES')?.value).toBe('1')
  })

  it('a pod has the time that its drain takes, and the process a second less than what is left', async () => {
    const graceOf = async (values: Values, component: string): Promise<readonly unknown[]> => {
      const resources = await helm.render(values)
      const deployment = find(resources, 'Deployment', component)
      return [
        at(deployment, `${pod}.terminationGracePeriodSeconds`),
        at(deployment, `${container}.lifecycle.preStop.sleep.seconds`),
        envOf(resources, component).get('SHUTDOWN_TIMEOUT_MS')?.value,
      ]
    }
    expect(await graceOf({}, 'gateway')).toEqual([35, 5, '29000'])
    expect(await graceOf({}, 'broker')).toEqual([20, 5, '14000'])
    expect(await graceOf({}, 'presence')).toEqual([10, 5, '4000'])
    const drain = { endpointPropagationSeconds: 10, spreadSeconds: 120, slackSeconds: 10 }
    expect(await graceOf({ gateway: { drain } }, 'gateway')).toEqual([145, 10, '134000'])
    expect(
      await graceOf({ gateway: { drain, terminationGracePeriodSeconds: 200 } }, 'gateway'),
    ).toEqual([200, 10, '134000'])
    expect(
      await graceOf({ gateway: { drain: { ...drain, endpointPropagationSeconds: 0 } } }, 'gateway'),
    ).toEqual([135, undefined, '134000'])
  })

  it('a gateway is told over how long to drain, how long members may come back, and which cookie led them to it', async () => {
    const toldBy = async (values: Values, kubeVersion = '1.34.0'): Promise<readonly unknown[]> => {
      const env = envOf(await helm.render(values, { kubeVersion }), 'gateway')
      return [
        'DRAIN_PROPAGATION_MS',
        'DRAIN_SPREAD_MS',
        'SHUTDOWN_TIMEOUT_MS',
        'AFFINITY_COOKIE',
      ].map((name) => env.get(name)?.value)
    }
    expect(await toldBy({})).toEqual(['0', '20000', '29000', undefined])
    expect(await toldBy({}, '1.29.0')).toEqual(['5000', '20000', '34000', undefined])
    expect(
      await toldBy({ gateway: { drain: { spreadSeconds: 60 }, settings: { quitGraceMs: 7_500 } } }),
    ).toEqual(['0', '60000', '72000', undefined])
    const cookieOf = async (ingress: Values): Promise<unknown> =>
      (await toldBy({ ingress: { enabled: true, host: 'chat.example.org', ...ingress } })).at(-1)
    expect(await cookieOf({})).toBe('roomcast; Path=/; SameSite=Lax')
    expect(
      await cookieOf({ affinity: { cookieName: 'way', sameSite: 'None', secure: true } }),
    ).toBe('way; Path=/; SameSite=None; Secure')
    expect(await cookieOf({ controller: 'contour' })).toBe(
      'X-Contour-Session-Affinity; Path=/; SameSite=Lax',
    )
    expect(await cookieOf({ controller: 'alb' })).toBeUndefined()
    expect(await cookieOf({ affinity: { enabled: false } })).toBeUndefined()
  })

  it('before Kubernetes 1.30, which does not know how to sleep, there is no preStop hook', async () => {
    const lifecycleAt = async (kubeVersion: string): Promise<unknown> =>
      at(
        find(await helm.render({}, { kubeVersion }), 'Deployment', 'gateway'),
        `${container}.lifecycle`,
      )
    expect(await lifecycleAt('1.29.9')).toBeUndefined()
    expect(await lifecycleAt('1.30.0')).toEqual({ preStop: { sleep: { seconds: 5 } } })
    expect(await lifecycleAt('v1.30.3-gke.100')).toEqual({ preStop: { sleep: { seconds: 5 } } })
  })

  it('the number of gateways is left to whoever scales them', async () => {
    const replicasOf = async (type: string): Promise<unknown> =>
      at(
        find(await helm.render({ autoscaling: { type } }), 'Deployment', 'gateway'),
        'spec.replicas',
      )
    expect(await replicasOf('none')).toBe(3)
    expect(await replicasOf('cpu')).toBeUndefined()
    expect(await replicasOf('connections')).toBeUndefined()
    expect(await replicasOf('keda')).toBeUndefined()
    const left = await helm.render({ gateway: { replicas: null }, broker: { replicas: 0 } })
    expect(at(find(left, 'Deployment', 'gateway'), 'spec')).not.toHaveProperty('replicas')
    expect(at(find(left, 'Deployment', 'broker'), 'spec.replicas')).toBe(0)
  })

  it('gateways scale on CPU by a HorizontalPodAutoscaler: up at once, down slowly', async () => {
    const resources = await helm.render({ autoscaling: { type: 'cpu', maxReplicas: 7 } })
    expect(find(resources, 'HorizontalPodAutoscaler', 'gateway')['spec']).toMatchObject({
      scaleTargetRef: { kind: 'Deployment', name: 'chat-roomcast-gateway' },
      minReplicas: 2,
      maxReplicas: 7,
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 0 },
        scaleDown: { stabilizationWindowSeconds: 600, selectPolicy: 'Min' },
      },
    })
  })

  it('gateways scale on connections by KEDA, as presence counts them', async () => {
    const resources = await helm.render({
      autoscaling: { type: 'keda', connectionsPerGateway: 200_000_000 },
    })
    expect(find(resources, 'ScaledObject', 'gateway')['spec']).toMatchObject({
      minReplicaCount: 2,
      maxReplicaCount: 20,
      triggers: [
        {
          type: 'metrics-api',
          metricType: 'AverageValue',
          metadata: {
            url: 'http://chat-roomcast-presence.rooms.svc:8090/v1/scale',
            valueLocation: 'connections',
            targetValue: '200000000',
          },
        },
      ],
    })
    expect(kinds(resources).join()).not.toContain('HorizontalPodAutoscaler')
  })

  it('a ServiceMonitor takes the place of the annotations for scraping', async () => {
    const annotationsOf = async (values: Values): Promise<unknown> =>
      at(
        find(await helm.render(values), 'Deployment', 'presence'),
        'spec.template.metadata.annotations',
      )
    expect(await annotationsOf({})).toMatchObject({
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': '9464',
      'prometheus.io/path': '/metrics',
    })
    const values = {
      metrics: { serviceMonitor: { enabled: true, labels: { release: 'kube-prometheus-stack' } } },
    }
    expect(await annotationsOf(values)).not.toHaveProperty(['prometheus.io/scrape'])
    const resources = await helm.render(values)
    const monitor = find(resources, 'ServiceMonitor', '')
    expect(monitor.metadata.labels).toMatchObject({ release: 'kube-prometheus-stack' })
    expect(at(monitor, 'spec.endpoints.0.port')).toBe('metrics')
    const withMetrics = resources.filter(
      (r) =>
        r.kind === 'Service' &&
        (at(r, 'spec.ports') as { name: string }[]).some((p) => p.name === 'metrics'),
    )
    expect(kinds(withMetrics)).toEqual([
      'Service chat-roomcast-broker-headless',
      'Service chat-roomcast-gateway-headless',
      'Service chat-roomcast-presence-headless',
    ])
  })

  it('traces are sent by gateways and brokers, where an endpoint is given', async () => {
    const parts = async (values: Values) => {
      const resources = await helm.render({ networkPolicy: { enabled: true }, ...values })
      return (component: string) => ({
        env: (
          at(find(resources, 'Deployment', component), 'spec.template.spec.containers.0.env') as {
            name: string
          }[]
        ).filter(({ name }) => /^(OTLP|TRACE)_/.test(name)),
        egress: at(find(resources, 'NetworkPolicy', component), 'spec.egress') as unknown[],
      })
    }
    expect((await parts({}))('gateway').env).toEqual([])
    const endpoint = 'http://collector.observability:4318/v1/traces'
    const of = await parts({
      tracing: { endpoint, sampleRatio: 0.25, headersSecret: 'collector' },
    })
    for (const component of ['gateway', 'broker']) {
      expect(of(component).env).toEqual([
        { name: 'OTLP_TRACES_URL', value: endpoint },
        { name: 'TRACE_SAMPLE_RATIO', value: '0.250000' },
        {
          name: 'OTLP_HEADERS',
          valueFrom: { secretKeyRef: { name: 'collector', key: 'headers' } },
        },
      ])
      expect(of(component).egress).toContainEqual({ ports: [{ port: 4318 }] })
    }
    expect(of('presence').env).toEqual([])
    expect(of('presence').egress).not.toContainEqual({ ports: [{ port: 4318 }] })
    const collector = [{ namespaceSelector: { matchLabels: { name: 'observability' } } }]
    const narrow = await parts({
      tracing: { endpoint: 'https://collector.example.org/v1/traces' },
      networkPolicy: { enabled: true, collector },
    })
    expect(narrow('broker').egress).toContainEqual({ to: collector })
  })

  it('what is said for every pod is added to, and what is said for one service counts instead', async () => {
    const resources = await helm.render({
      extraEnv: [{ name: 'A', value: 'all' }],
      extraEnvFrom: [{ configMapRef: { name: 'all' } }],
      extraVolumes: [{ name: 'ca', secret: { secretName: 'ca' } }],
      extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }],
      podAnnotations: { all: 'yes' },
      podLabels: { team: 'chat' },
      nodeSelector: { pool: 'all' },
      tolerations: [{ key: 'all', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      priorityClassName: 'all',
      gateway: {
        extraEnv: [{ name: 'B', value: 'gateway' }],
        nodeSelector: { pool: 'gateway' },
        tolerations: [{ key: 'gateway', operator: 'Exists' }],
        podAnnotations: { own: 'yes' },
        priorityClassName: 'gateway',
      },
    })
    const gateway = find(resources, 'Deployment', 'gateway')
    expect(at(gateway, pod)).toMatchObject({
      nodeSelector: { pool: 'gateway' },
      tolerations: [
        { key: 'all', operator: 'Exists' },
        { key: 'gateway', operator: 'Exists' },
      ],
      affinity: { nodeAffinity: {} },
      priorityClassName: 'gateway',
      volumes: [{ name: 'secrets' }, { name: 'ca', secret: { secretName: 'ca' } }],
    })
    expect(at(gateway, container)).toMatchObject({
      envFrom: [{ configMapRef: { name: 'all' } }],
      volumeMounts: [{ name: 'secrets' }, { name: 'ca', mountPath: '/ca' }],
    })
    expect(at(gateway, 'spec.template.metadata')).toMatchObject({
      annotations: { all: 'yes', own: 'yes' },
      labels: { team: 'chat', 'app.kubernetes.io/component': 'gateway' },
    })
    expect(envOf(resources, 'gateway').get('A')?.value).toBe('all')
    expect(envOf(resources, 'gateway').get('B')?.value).toBe('gateway')
    expect(envOf(resources, 'broker').has('B')).toBe(false)
    const valkey = find(resources, 'StatefulSet', 'valkey')
    expect(at(valkey, pod)).toMatchObject({
      nodeSelector: { pool: 'all' },
      priorityClassName: 'all',
    })
  })

  it('other resources are rendered too, as YAML or as text', async () => {
    const resources = await helm.render({
      extraObjects: [
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'chat-roomcast-a' } },
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include "roomcast.fullname" . }}-b\n',
      ],
    })
    expect(kinds(resources)).toEqual(
      expect.arrayContaining(['ConfigMap chat-roomcast-a', 'ConfigMap chat-roomcast-b']),
    )
  })

  it('names fit into what DNS allows, however long the release is called', async () => {
    const resources = await helm.render({ fullnameOverride: 'a'.repeat(80) })
    const longest = Math.max(...resources.map(({ metadata }) => metadata.name.length))
    expect(longest).toBeLessThanOrEqual(63)
  })

  it('policies let each pod talk to those that it needs and to nobody else', async () => {
    const resources = await helm.render({ networkPolicy: { enabled: true } })
    const policies = resources.filter(({ kind }) => kind === 'NetworkPolicy')
    expect(kinds(policies)).toEqual([
      'NetworkPolicy chat-roomcast-broker',
      'NetworkPolicy chat-roomcast-gateway',
      'NetworkPolicy chat-roomcast-presence',
      'NetworkPolicy chat-roomcast-valkey',
    ])
    const peersOf = (name: string): unknown =>
      (
        at(find(policies, 'NetworkPolicy', name), 'spec.ingress.0.from') as
          { podSelector: { matchLabels: Record<string, string> } }[] | undefined
      )?.map(({ podSelector }) => podSelector.matchLabels['app.kubernetes.io/component'])
    expect(peersOf('gateway')).toBeUndefined()
    expect(peersOf('broker')).toEqual(['gateway', 'test'])
    expect(peersOf('presence')).toEqual(['gateway', 'test'])
    expect(peersOf('valkey')).toEqual(['gateway', 'broker'])
    expect(at(find(policies, 'NetworkPolicy', 'valkey'), 'spec.egress')).toEqual([])
  })

  it('a policy lets gateways reach the backend of the hooks, where they have some', async () => {
    const egress = async (values: Values): Promise<unknown> =>
      at(find(await helm.render(values), 'NetworkPolicy', 'gateway'), 'spec.egress')
    const backend = { podSelector: { matchLabels: { app: 'backend' } } }
    const hooks = { joinUrl: 'http://backend/join' }
    expect(await egress({ networkPolicy: { enabled: true, hooks: [backend] } })).not.toContainEqual(
      {
        to: [backend],
      },
    )
    expect(await egress({ hooks, networkPolicy: { enabled: true } })).toContainEqual({})
    expect(
      await egress({ hooks, networkPolicy: { enabled: true, hooks: [backend] } }),
    ).toContainEqual({
      to: [backend],
    })
  })

  it('a volume keeps the logs where it is asked for', async () => {
    const resources = await helm.render({
      redis: { embedded: { persistence: { enabled: true, storageClass: 'fast', size: '1Gi' } } },
    })
    const valkey = find(resources, 'StatefulSet', 'valkey')
    expect(at(valkey, `${pod}.volumes`)).toBeUndefined()
    expect(at(valkey, 'spec.volumeClaimTemplates.0.spec')).toEqual({
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'fast',
      resources: { requests: { storage: '1Gi' } },
    })
  })

  it('a Service can be what is reached from outside', async () => {
    const resources = await helm.render({
      gateway: {
        service: {
          type: 'LoadBalancer',
          externalTrafficPolicy: 'Local',
          sessionAffinity: 'ClientIP',
          loadBalancerSourceRanges: ['10.0.0.0/8'],
          nodePort: 30_080,
        },
      },
    })
    expect(find(resources, 'Service', 'gateway')['spec']).toMatchObject({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      sessionAffinity: 'ClientIP',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
      ports: [{ port: 80, targetPort: 'http', nodePort: 30_080, appProtocol: 'http' }],
    })
  })
})
