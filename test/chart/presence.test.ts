import { X509Certificate, createPrivateKey } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { at, envOf, find, findHelms, kinds, type Resource, type Values } from './helm.ts'

const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n'
const connections: Values = { autoscaling: { type: 'connections', connectionsPerGateway: 800 } }

const apiService = (resources: readonly Resource[]): Resource | undefined =>
  resources.find(({ kind }) => kind === 'APIService')

describe.each(await findHelms())('with $name, presence', (helm) => {
  it("watches the gateways' pods, is elected by the Lease of the release and keeps deletion costs", async () => {
    const resources = await helm.render()
    const env = envOf(resources, 'presence')
    expect(env.get('POD_NAME')).toMatchObject({
      valueFrom: { fieldRef: { fieldPath: 'metadata.name' } },
    })
    expect(env.get('POD_NAMESPACE')).toMatchObject({
      valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } },
    })
    expect(env.get('POD_DELETION_COST')?.value).toBe('true')
    expect(env.get('LEASE_NAME')?.value).toBe(find(resources, 'Lease', 'presence').metadata.name)
    const labels = at(find(resources, 'Deployment', 'gateway'), 'spec.template.metadata.labels')
    const selector = env.get('GATEWAY_SELECTOR')?.value?.split(',') ?? []
    expect(selector).toHaveLength(3)
    expect(labels).toMatchObject(Object.fromEntries(selector.map((pair) => pair.split('='))))
    for (const name of ['REBALANCE', 'PRESENCE_PEERS', 'EXTERNAL_METRICS_PORT'])
      expect(env.has(name)).toBe(false)
  })

  it('has no right to patch pods when it does not keep deletion costs', async () => {
    const resources = await helm.render({ presence: { kubernetes: { podDeletionCost: false } } })
    expect(envOf(resources, 'presence').get('POD_DELETION_COST')?.value).toBe('false')
    expect(at(find(resources, 'Role', 'presence'), 'rules.0.verbs')).toEqual([
      'get',
      'list',
      'watch',
    ])
  })

  it('without the Kubernetes API has no token and no rights, and finds its peers by itself', async () => {
    const resources = await helm.render({
      presence: { kubernetes: { enabled: false } },
      networkPolicy: { enabled: true },
    })
    expect(kinds(resources).filter((name) => /^(Role|Lease)/.test(name))).toEqual([])
    const deployment = find(resources, 'Deployment', 'presence')
    expect(at(deployment, 'spec.template.spec.automountServiceAccountToken')).toBe(false)
    const env = envOf(resources, 'presence')
    expect(env.get('PRESENCE_PEERS')?.value).toBe('http://chat-roomcast-presence-headless:8090')
    expect(env.has('GATEWAY_SELECTOR')).toBe(false)
    const policy = JSON.stringify(find(resources, 'NetworkPolicy', 'presence')['spec'])
    expect(policy).not.toContain('6443')
    expect(policy.match(/"app.kubernetes.io\/component":"presence"/g)).toHaveLength(3)
  })

  it('rebalances as the values say', async () => {
    const env = envOf(
      await helm.render({
        presence: { rebalance: { enabled: true, tolerancePercent: 20, intervalSeconds: 60 } },
      }),
      'presence',
    )
    const names = ['', '_TOLERANCE_PERCENT', '_BATCH_PERCENT', '_INTERVAL_MS']
    expect(names.map((name) => env.get(`REBALANCE${name}`)?.value)).toEqual([
      'true',
      '20',
      '5',
      '60000',
    ])
  })

  it('may reach the API server through its policy, and be reached by it for metrics', async () => {
    const policyOf = async (values: Values): Promise<Resource> =>
      find(
        await helm.render({ ...values, networkPolicy: { enabled: true } }),
        'NetworkPolicy',
        'presence',
      )
    expect(at(await policyOf({}), 'spec.egress.1')).toEqual({
      ports: [{ port: 443 }, { port: 6443 }],
    })
    expect(JSON.stringify(await policyOf({}))).not.toContain('8443')
    expect(at(await policyOf(connections), 'spec.ingress.1')).toEqual({ ports: [{ port: 8443 }] })
  })
})

describe.each(await findHelms())('with $name, autoscaling on connections', (helm) => {
  it('is a HorizontalPodAutoscaler on the metric that presence serves', async () => {
    const resources = await helm.render(connections)
    expect(at(find(resources, 'HorizontalPodAutoscaler', 'gateway'), 'spec.metrics')).toEqual([
      {
        type: 'External',
        external: {
          metric: { name: 'roomcast_connections' },
          target: { type: 'AverageValue', averageValue: '800' },
        },
      },
    ])
    expect(apiService(resources)).toMatchObject({
      metadata: { name: 'v1beta1.external.metrics.k8s.io' },
      spec: { service: { name: 'chat-roomcast-presence', namespace: 'rooms', port: 443 } },
    })
    expect(at(find(resources, 'Service', 'presence'), 'spec.ports')).toContainEqual({
      name: 'metrics-api',
      port: 443,
      targetPort: 'metrics-api',
      appProtocol: 'https',
    })
    expect(
      at(find(resources, 'Deployment', 'presence'), 'spec.template.spec.containers.0.ports'),
    ).toContainEqual({ name: 'metrics-api', containerPort: 8443 })
    expect(resources).toContainEqual(
      expect.objectContaining({
        kind: 'RoleBinding',
        metadata: expect.objectContaining({ namespace: 'kube-system' }),
        roleRef: expect.objectContaining({ name: 'extension-apiserver-authentication-reader' }),
      }),
    )
  })

  it('has a certificate for the Service, by a CA that the API server is told', async () => {
    const resources = await helm.render(connections)
    const data = find(resources, 'Secret', 'metrics-api')['data'] as Record<string, string>
    const file = (name: string): string => Buffer.from(data[name] ?? '', 'base64').toString()
    expect(at(apiService(resources), 'spec.caBundle')).toBe(data['ca.crt'])
    const ca = new X509Certificate(file('ca.crt'))
    const certificate = new X509Certificate(file('tls.crt'))
    expect(certificate.checkHost('chat-roomcast-presence.rooms.svc')).toBeDefined()
    expect(certificate.verify(ca.publicKey)).toBe(true)
    expect(certificate.checkPrivateKey(createPrivateKey(file('tls.key')))).toBe(true)
    expect(at(find(resources, 'Deployment', 'presence'), 'spec.template.spec')).toMatchObject({
      volumes: [
        { name: 'secrets' },
        { name: 'metrics-api', secret: { secretName: 'chat-roomcast-metrics-api' } },
      ],
      containers: [
        {
          volumeMounts: [
            { name: 'secrets' },
            { name: 'metrics-api', mountPath: '/etc/roomcast/metrics-api' },
          ],
        },
      ],
    })
  })

  it('takes a certificate of yours, with its CA or with an annotation that puts it in', async () => {
    const mine = (more: Values): Values => ({
      autoscaling: { type: 'connections', connections: { existingSecret: 'mine', ...more } },
    })
    const given = await helm.render(mine({ caBundle: PEM }))
    expect(at(apiService(given), 'spec.caBundle')).toBe(Buffer.from(PEM).toString('base64'))
    expect(kinds(given)).not.toContain('Secret chat-roomcast-metrics-api')
    expect(
      at(find(given, 'Deployment', 'presence'), 'spec.template.spec.volumes.1.secret.secretName'),
    ).toBe('mine')
    const annotations = { 'cert-manager.io/inject-ca-from': 'rooms/presence' }
    const injected = apiService(await helm.render(mine({ apiServiceAnnotations: annotations })))
    expect(injected?.metadata.annotations).toEqual(annotations)
    expect(at(injected, 'spec')).not.toHaveProperty('caBundle')
  })
})
