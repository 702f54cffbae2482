import { describe, expect, it } from '@jest/globals'
import { VERSION } from '../../services/runtime/src/version.ts'
import { gatewaySettings } from '../../services/gateway/src/config.ts'
import { brokerSettings } from '../../services/broker/src/config.ts'
import { presenceSettings } from '../../services/presence/src/config.ts'
import { at, COMPONENTS, envOf, find, findHelms, kinds } from './helm.ts'

const settings = { gateway: gatewaySettings, broker: brokerSettings, presence: presenceSettings }

describe.each(await findHelms())('with $name, an installation without any values', (helm) => {
  it('is three services, a Valkey, their secrets and a test', async () => {
    expect(kinds(await helm.render())).toEqual([
      'Deployment chat-roomcast-broker',
      'Deployment chat-roomcast-gateway',
      'Deployment chat-roomcast-presence',
      'Lease chat-roomcast-presence',
      'Pod chat-roomcast-test',
      'PodDisruptionBudget chat-roomcast-broker',
      'PodDisruptionBudget chat-roomcast-gateway',
      'PodDisruptionBudget chat-roomcast-presence',
      'Role chat-roomcast-presence',
      'RoleBinding chat-roomcast-presence',
      'Secret chat-roomcast-internal',
      'Secret chat-roomcast-valkey',
      'Service chat-roomcast-broker',
      'Service chat-roomcast-broker-headless',
      'Service chat-roomcast-broker-health',
      'Service chat-roomcast-gateway',
      'Service chat-roomcast-gateway-headless',
      'Service chat-roomcast-gateway-health',
      'Service chat-roomcast-presence',
      'Service chat-roomcast-presence-headless',
      'Service chat-roomcast-valkey',
      'ServiceAccount chat-roomcast-broker',
      'ServiceAccount chat-roomcast-gateway',
      'ServiceAccount chat-roomcast-presence',
      'StatefulSet chat-roomcast-valkey',
    ])
  })

  it('has an image with the version of the chart, and a fixed one of Valkey', async () => {
    const resources = await helm.render()
    for (const component of COMPONENTS) {
      const container = at(
        find(resources, 'Deployment', component),
        'spec.template.spec.containers.0',
      )
      expect(container).toMatchObject({
        image: `roomcast:${VERSION}`,
        imagePullPolicy: 'IfNotPresent',
        command: [
          'node',
          '--enable-source-maps',
          '--import',
          '@roomcast/runtime/instrument',
          ...(component === 'gateway' ? ['--max-semi-space-size=4'] : []),
          `services/${component}/dist/main.js`,
        ],
      })
    }
    const valkey = find(resources, 'StatefulSet', 'valkey')
    expect(at(valkey, 'spec.template.spec.containers.0.image')).toBe('docker.io/valkey/valkey:8.1')
  })

  it('gives no pod more rights than it needs, and a token to presence alone', async () => {
    const resources = await helm.render()
    const pods = [
      ...COMPONENTS.map((name) => at(find(resources, 'Deployment', name), 'spec.template.spec')),
      at(find(resources, 'StatefulSet', 'valkey'), 'spec.template.spec'),
      at(find(resources, 'Pod', 'test'), 'spec'),
    ]
    for (const pod of pods) {
      expect(pod).toMatchObject({
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      })
      expect(at(pod, 'containers.0')).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: {
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { cpu: expect.any(String), memory: expect.any(String) },
        },
      })
    }
    expect(pods.map((pod) => at(pod, 'automountServiceAccountToken'))).toEqual([
      false,
      false,
      true,
      false,
      false,
    ])
    for (const component of COMPONENTS) {
      const account = find(resources, 'ServiceAccount', component)
      expect(at(account, 'automountServiceAccountToken')).toBe(false)
    }
    expect(at(find(resources, 'Role', 'presence'), 'rules')).toEqual([
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'patch'] },
      {
        apiGroups: ['coordination.k8s.io'],
        resources: ['leases'],
        resourceNames: ['chat-roomcast-presence'],
        verbs: ['get', 'update'],
      },
    ])
  })

  it('asks the metrics port for the health of every service', async () => {
    const resources = await helm.render()
    for (const component of COMPONENTS) {
      const container = at(
        find(resources, 'Deployment', component),
        'spec.template.spec.containers.0',
      )
      expect(container).toMatchObject({
        startupProbe: { httpGet: { path: '/livez', port: 'metrics' }, periodSeconds: 1 },
        readinessProbe: { httpGet: { path: '/readyz', port: 'metrics' } },
        livenessProbe: { httpGet: { path: '/livez', port: 'metrics' } },
      })
      expect(at(container, 'ports')).toContainEqual({ name: 'metrics', containerPort: 9464 })
    }
  })

  it('lets gateways find every replica, of presence also one that warms up', async () => {
    const resources = await helm.render()
    const env = envOf(resources, 'gateway')
    expect(env.get('BROKER_URL')?.value).toBe('http://chat-roomcast-broker-headless:8070')
    expect(env.get('PRESENCE_URL')?.value).toBe('http://chat-roomcast-presence-headless:8090')
    const headless = COMPONENTS.map((name) => find(resources, 'Service', `${name}-headless`))
    expect(headless.map((service) => at(service, 'spec.clusterIP'))).toEqual([
      'None',
      'None',
      'None',
    ])
    expect(headless.map((service) => at(service, 'spec.publishNotReadyAddresses'))).toEqual([
      false,
      false,
      true,
    ])
  })

  it('sets variables that the services know', async () => {
    const resources = await helm.render({
      apiKeys: { generate: true, readRequiresKey: true },
      hooks: { joinUrl: 'http://backend/join', sayUrl: 'http://backend/say' },
      autoscaling: { type: 'connections' },
      presence: { rebalance: { enabled: true } },
    })
    for (const component of COMPONENTS) {
      const unknown = [...envOf(resources, component).keys()].filter(
        (name) => !Object.hasOwn(settings[component], name) && name !== 'REDIS_PASSWORD',
      )
      expect(unknown).toEqual([])
    }
  })

  it('selects pods by labels that no upgrade changes', async () => {
    const resources = await helm.render()
    for (const component of COMPONENTS) {
      const deployment = find(resources, 'Deployment', component)
      const selector = at(deployment, 'spec.selector.matchLabels')
      expect(selector).toEqual({
        'app.kubernetes.io/name': 'roomcast',
        'app.kubernetes.io/instance': 'chat',
        'app.kubernetes.io/component': component,
      })
      expect(at(deployment, 'spec.template.metadata.labels')).toMatchObject(selector as object)
      expect(deployment.metadata.labels).toMatchObject({
        'app.kubernetes.io/version': VERSION,
        'app.kubernetes.io/part-of': 'roomcast',
        'app.kubernetes.io/managed-by': 'Helm',
        'helm.sh/chart': `roomcast-${VERSION}`,
      })
    }
  })

  it('spreads pods softly and lets nodes be drained', async () => {
    const resources = await helm.render()
    for (const component of COMPONENTS) {
      const spread = at(
        find(resources, 'Deployment', component),
        'spec.template.spec.topologySpreadConstraints',
      ) as { topologyKey: string; whenUnsatisfiable: string }[]
      expect(
        spread.map(({ topologyKey, whenUnsatisfiable }) => [topologyKey, whenUnsatisfiable]),
      ).toEqual([
        ['kubernetes.io/hostname', 'ScheduleAnyway'],
        ['topology.kubernetes.io/zone', 'ScheduleAnyway'],
      ])
      expect(find(resources, 'PodDisruptionBudget', component)['spec']).toMatchObject({
        maxUnavailable: 1,
        unhealthyPodEvictionPolicy: 'AlwaysAllow',
      })
    }
  })

  it('writes every message to disk before it is acknowledged', async () => {
    const valkey = find(await helm.render(), 'StatefulSet', 'valkey')
    const args = (at(valkey, 'spec.template.spec.containers.0.args') as string[]).join(' ')
    expect(args).toContain('--appendonly yes --appendfsync always')
    expect(args).toContain('--maxmemory-policy noeviction')
    expect(at(valkey, 'spec.template.spec.volumes')).toEqual([{ name: 'data', emptyDir: {} }])
  })

  it('shows nothing outside of the cluster', async () => {
    const resources = await helm.render()
    const types = resources.filter(({ kind }) => kind === 'Service').map((s) => at(s, 'spec.type'))
    expect(new Set(types)).toEqual(new Set(['ClusterIP']))
  })
})
