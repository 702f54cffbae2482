import { describe, expect, it } from '@jest/globals'
import { parseKeys, parseTokens } from '@roomcast/runtime'
import { parseHookSecrets } from '../../services/gateway/src/hooks/signature.ts'
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

interface Source {
  readonly secret: {
    readonly name: string
    readonly items: readonly { key: string; path: string }[]
  }
}

/** The secrets of a component that are files, and the directory in which they are. */
function filesOf(
  resources: readonly Resource[],
  component: string,
): { readonly directory: string; readonly sources: readonly Source[] } {
  const pod = at(find(resources, 'Deployment', component), 'spec.template.spec')
  const volumes = at(pod, 'volumes') as { name: string; projected?: { sources: Source[] } }[]
  const mounts = at(pod, 'containers.0.volumeMounts') as { name: string; mountPath: string }[]
  return {
    directory: mounts.find(({ name }) => name === 'secrets')?.mountPath ?? '',
    sources: volumes.find(({ name }) => name === 'secrets')?.projected?.sources ?? [],
  }
}

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
    const token = { secret: { name: 'mine', items: [{ key: 'a', path: 'internal-token' }] } }
    const keys = { secret: { name: 'mine', items: [{ key: 'b', path: 'api-keys' }] } }
    expect(COMPONENTS.map((component) => filesOf(resources, component).sources)).toEqual([
      [token],
      [keys, token],
      [keys, token],
    ])
    expect(envOf(resources, 'gateway').get('REDIS_PASSWORD')?.valueFrom?.secretKeyRef).toEqual({
      name: 'mine',
      key: 'c',
    })
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

  it('secrets that are read again are files of a directory, each where a service looks for it', async () => {
    const hook = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    const resources = await helm.render({
      internalToken: { value: KEY, alsoAccepted: [`${KEY}2`] },
      apiKeys: { entries: [{ id: 'a', key: KEY, scopes: ['read'], rooms: ['team-*'] }] },
      hooks: { joinUrl: 'http://backend/join', secret: { value: hook } },
    })
    expect(parseTokens(dataOf(resources, 'internal')['token'] ?? '')).toEqual([KEY, `${KEY}2`])
    expect(parseKeys(dataOf(resources, 'api-keys')['api-keys'] ?? '')).toEqual([
      { id: 'a', key: KEY, scopes: ['read'], rooms: ['team-*'] },
    ])
    expect(dataOf(resources, 'hooks')).toEqual({ secret: hook })
    for (const component of COMPONENTS) {
      const { directory, sources } = filesOf(resources, component)
      const files = sources.flatMap(({ secret }) => secret.items.map(({ path }) => path))
      const named = [...envOf(resources, component)].filter(([name]) => name.endsWith('_FILE'))
      expect(new Set(named.map(([, { value }]) => value))).toEqual(
        new Set(files.map((file) => `${directory}/${file}`)),
      )
    }
    const drawn = await helm.render({ hooks: { sayUrl: 'http://backend/say' } })
    expect(parseHookSecrets(dataOf(drawn, 'hooks')['secret'] ?? '')).toHaveLength(1)
  })

  it.each([
    ['the internal token', { internalToken: { value: `${KEY}2` } }, [false, false, false, false]],
    ['the API keys', { apiKeys: { values: [KEY, `${KEY}2`] } }, [false, false, false, false]],
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
  ])(
    'a change of %s replaces the pods that read it at their start alone',
    async (_what, change, isChanged) => {
      const before = checksumsOf(await helm.render(given))
      const after = checksumsOf(await helm.render({ ...given, ...change }))
      expect(after.map((checksum, i) => checksum !== before[i])).toEqual(isChanged)
    },
  )
})
