import { describe, expect, it } from '@jest/globals'
import {
  at,
  COMPONENTS,
  envOf,
  find,
  findHelms,
  kinds,
  type Resource,
  type Values,
} from './helm.ts'

const KEY = '0123456789abcdef'

function dataOf(resources: readonly Resource[], name: string): Record<string, string> {
  const data = find(resources, 'Secret', name)['data'] as Record<string, string>
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )
}

const checksumsOf = (resources: readonly Resource[]): unknown[] => [
  ...COMPONENTS.map((name) =>
    at(find(resources, 'Deployment', name), 'spec.template.metadata.annotations.checksum/secrets'),
  ),
  at(
    resources.find(({ kind }) => kind === 'StatefulSet'),
    'spec.template.metadata.annotations.checksum/secrets',
  ),
]

/** Every secret given, so that nothing is drawn. */
const given: Values = {
  internalToken: { value: KEY },
  apiKeys: { values: [KEY] },
  redis: { embedded: { auth: { password: 'password' } } },
}

describe.each(await findHelms())('with $name', (helm) => {
  it('what is not given is drawn, another one for each release', async () => {
    const [one, two] = [await helm.render(), await helm.render()]
    const token = dataOf(one, 'internal')['token']
    expect(token).toMatch(/^[A-Za-z0-9]{32}$/)
    expect(dataOf(two, 'internal')['token']).not.toBe(token)
    expect(dataOf(one, 'valkey')['password']).toMatch(/^[A-Za-z0-9]{32}$/)
  })

  it('what is given is taken, and nothing else is drawn', async () => {
    const resources = await helm.render(given)
    expect(dataOf(resources, 'internal')).toEqual({ token: KEY })
    expect(dataOf(resources, 'api-keys')).toEqual({ 'api-keys': KEY })
    expect(dataOf(resources, 'valkey')).toEqual({ password: 'password' })
    expect(checksumsOf(await helm.render(given))).toEqual(checksumsOf(resources))
  })

  it('existing Secrets are named, and none are made', async () => {
    const resources = await helm.render({
      internalToken: { existingSecret: 'mine', existingSecretKey: 'a' },
      apiKeys: { existingSecret: 'mine', existingSecretKey: 'b' },
      redis: { embedded: { auth: { existingSecret: 'mine', existingSecretKey: 'c' } } },
    })
    expect(kinds(resources).filter((name) => name.startsWith('Secret '))).toEqual([])
    const refOf = (component: string, name: string): unknown =>
      envOf(resources, component).get(name)?.valueFrom?.secretKeyRef
    for (const component of COMPONENTS) {
      expect(refOf(component, 'INTERNAL_TOKEN')).toEqual({ name: 'mine', key: 'a' })
    }
    expect(refOf('broker', 'API_KEYS')).toEqual({ name: 'mine', key: 'b' })
    expect(refOf('presence', 'API_KEYS')).toEqual({ name: 'mine', key: 'b' })
    expect(refOf('gateway', 'REDIS_PASSWORD')).toEqual({ name: 'mine', key: 'c' })
    expect(envOf(resources, 'gateway').get('REDIS_URL')?.value).toBe(
      'redis://:$(REDIS_PASSWORD)@chat-roomcast-valkey:6379',
    )
  })

  it('an external Redis is named by a Secret, of the chart or of the user, and Valkey is not there', async () => {
    const url = 'rediss+sentinel://:p%40ss@a:26379,b:26379/main'
    const own = await helm.render({ redis: { mode: 'external', external: { url } } })
    expect(dataOf(own, 'redis')).toEqual({ url })
    expect(kinds(own).join()).not.toContain('valkey')
    expect(envOf(own, 'broker').get('REDIS_URL')?.valueFrom?.secretKeyRef).toEqual({
      name: 'chat-roomcast-redis',
      key: 'url',
    })
    const theirs = await helm.render({
      redis: { mode: 'external', external: { existingSecret: 'theirs', existingSecretKey: 'u' } },
    })
    expect(envOf(theirs, 'gateway').get('REDIS_URL')?.valueFrom?.secretKeyRef).toEqual({
      name: 'theirs',
      key: 'u',
    })
    expect(envOf(theirs, 'presence').has('REDIS_URL')).toBe(false)
    expect(envOf(theirs, 'broker').has('WAIT_REPLICAS')).toBe(false)
  })

  it.each([
    ['the internal token', { internalToken: { value: `${KEY}2` } }, [true, true, true, false]],
    ['the API keys', { apiKeys: { values: [KEY, `${KEY}2`] } }, [false, true, true, false]],
    [
      'the password of Valkey',
      { redis: { embedded: { auth: { password: 'other' } } } },
      [true, true, false, true],
    ],
    [
      'a setting that is no secret',
      { settings: { logLevel: 'debug' } },
      [false, false, false, false],
    ],
  ])('a change of %s replaces the pods that use it', async (_what, change, isChanged) => {
    const before = checksumsOf(await helm.render(given))
    const after = checksumsOf(await helm.render({ ...given, ...change }))
    expect(after.map((checksum, i) => checksum !== before[i])).toEqual(isChanged)
  })
})
