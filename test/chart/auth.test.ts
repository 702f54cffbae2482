import { describe, expect, it } from '@jest/globals'
import { at, envOf, find, findHelms, type Resource } from './helm.ts'

const SECRET = 'a secret that is long enough for a hash'

/** The environment of the pod that `helm test` runs. */
function testEnvOf(resources: readonly Resource[]): Map<string, unknown> {
  const env = at(find(resources, 'Pod', 'test'), 'spec.containers.0.env') as {
    readonly name: string
  }[]
  return new Map(env.map((variable) => [variable.name, variable]))
}

describe.each(await findHelms())('with $name', (helm) => {
  it('without a secret or a key set nobody asks for tokens, and the notes say so loudly', async () => {
    const resources = await helm.render()
    expect([...envOf(resources, 'gateway').keys()].join()).not.toContain('AUTH_')
    expect([...testEnvOf(resources).keys()].join()).not.toContain('AUTH_')
    const install = ['install', 'chat', 'charts/roomcast', '--dry-run=client']
    expect(await helm.run(...install)).toContain('THE CHAT IS OPEN')
    expect(await helm.run(...install, '--set', 'auth.jwt.existingSecret=mine')).not.toContain(
      'THE CHAT IS OPEN',
    )
  })

  it('a secret reaches gateways and the test by a Secret alone, and a new one replaces pods', async () => {
    const resources = await helm.render({ auth: { jwt: { secret: SECRET, audience: ['chat'] } } })
    const ref = { name: 'chat-roomcast-auth', key: 'jwt-secret' }
    expect(envOf(resources, 'gateway').get('AUTH_JWT_SECRET')?.valueFrom?.secretKeyRef).toEqual(ref)
    expect(envOf(resources, 'gateway').get('AUTH_AUDIENCE')?.value).toBe('chat')
    expect(testEnvOf(resources).get('AUTH_JWT_SECRET')).toMatchObject({
      valueFrom: { secretKeyRef: ref },
    })
    expect(envOf(resources, 'broker').has('AUTH_JWT_SECRET')).toBe(false)
    const others = resources.filter(({ kind }) => kind !== 'Secret')
    expect(JSON.stringify(others)).not.toContain(SECRET)
    const checksumOf = (rendered: readonly Resource[], name: string): unknown =>
      at(find(rendered, 'Deployment', name), 'spec.template.metadata.annotations.checksum/secrets')
    const given = {
      internalToken: { existingSecret: 'x' },
      redis: { embedded: { auth: { existingSecret: 'x' } } },
    }
    const [one, two] = [
      await helm.render({ ...given, auth: { jwt: { secret: SECRET } } }),
      await helm.render({ ...given, auth: { jwt: { secret: `${SECRET}!` } } }),
    ]
    expect(checksumOf(one, 'gateway')).not.toBe(checksumOf(two, 'gateway'))
    expect(checksumOf(one, 'broker')).toBe(checksumOf(two, 'broker'))
  })

  it('a key set is asked over the port of its URL, by gateways alone', async () => {
    const jwt = { jwksUrl: 'https://issuer.example:8443/jwks.json', algorithms: ['RS256', 'ES256'] }
    const jwks = [{ ipBlock: { cidr: '192.0.2.1/32' } }]
    const resources = await helm.render({
      auth: { jwt },
      networkPolicy: { enabled: true, jwks },
      tests: { token: { existingSecret: 'token' } },
    })
    const env = envOf(resources, 'gateway')
    expect(env.get('AUTH_JWKS_URL')?.value).toBe(jwt.jwksUrl)
    expect(env.get('AUTH_ALGORITHMS')?.value).toBe('RS256,ES256')
    expect(testEnvOf(resources).get('AUTH_TOKEN')).toMatchObject({
      valueFrom: { secretKeyRef: { name: 'token', key: 'token' } },
    })
    const egressOf = (name: string): unknown =>
      at(find(resources, 'NetworkPolicy', name), 'spec.egress')
    expect(egressOf('gateway')).toContainEqual({ ports: [{ port: 8443 }], to: jwks })
    expect(JSON.stringify(egressOf('broker'))).not.toContain('8443')
    const plain = await helm.render({
      auth: { jwt: { jwksUrl: 'https://issuer.example/jwks.json' } },
      networkPolicy: { enabled: true },
    })
    expect(at(find(plain, 'NetworkPolicy', 'gateway'), 'spec.egress')).toContainEqual({
      ports: [{ port: 443 }],
    })
  })
})
