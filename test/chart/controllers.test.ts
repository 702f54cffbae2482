import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from '@jest/globals'
import { parseAllDocuments, stringify } from 'yaml'
import { CASES, CONTROLLERS, everything, ingress } from './controllers.ts'
import { at, find, findHelms, kinds, type Helm, type Resource, type Values } from './helm.ts'

/** UPDATE_GOLDEN=1 writes the golden files anew: look at what changed before you commit them. */
const isUpdate = process.env['UPDATE_GOLDEN'] === '1'
const GOLDEN = new URL('golden/', import.meta.url)

/** What a controller reads: everything that is not a workload, and the public Services. */
function routing(resources: readonly Resource[]): Resource[] {
  const isRouting = ({ kind, metadata }: Resource): boolean =>
    kind === 'Service'
      ? /-(gateway|broker|presence)$/.test(metadata.name)
      : /^(Ingress|HTTPProxy|HTTPRoute|BackendTrafficPolicy|BackendConfig|VirtualService|DestinationRule)$/.test(
          kind,
        )
  return resources.filter(isRouting).map(withoutLabels)
}

function withoutLabels(resource: Resource): Resource {
  const { name, annotations } = resource.metadata
  return { ...resource, metadata: { name, ...(annotations === undefined ? {} : { annotations }) } }
}

async function golden(name: string, resources: readonly Resource[]): Promise<Resource[]> {
  const file = new URL(`${name}.yaml`, GOLDEN)
  if (isUpdate) {
    const { format } = await import('prettier')
    const text = resources.map((resource) => stringify(resource)).join('---\n')
    await mkdir(GOLDEN, { recursive: true })
    await writeFile(file, await format(text, { parser: 'yaml', singleQuote: true }))
  }
  return parseAllDocuments(await readFile(file, 'utf8')).map((doc) => doc.toJS() as Resource)
}

const routed = async (helm: Helm, values: Values): Promise<Resource[]> =>
  routing(await helm.render(values))

describe.each(await findHelms())('with $name', (helm) => {
  describe.each(CONTROLLERS)('controller %s', (controller) => {
    it.each(CASES)('says what golden/%s has', async (suffix, values) => {
      const resources = await routed(helm, values(controller))
      expect(resources).toEqual(await golden(controller + suffix, resources))
    })

    it('shows the gateway alone unless it is asked for more', async () => {
      const text = JSON.stringify(
        (await routed(helm, ingress(controller))).filter(({ kind }) => kind !== 'Service'),
      )
      expect(text).toContain('chat-roomcast-gateway')
      expect(text).not.toMatch(/chat-roomcast-(broker|presence)/)
    })

    it('leads to no internal path', async () => {
      expect(JSON.stringify(await routed(helm, everything(controller)))).not.toContain('/internal')
    })

    it("lets the user's annotations win, on what it reads and on the Service", async () => {
      const [first = ''] = Object.keys(
        (await routed(helm, ingress(controller))).find(({ kind }) => kind === 'Ingress')?.metadata
          .annotations ?? {},
      )
      const mine = { [first || 'example.org/mine']: 'of the user', 'example.org/more': 'yes' }
      const resources = await helm.render({
        ...ingress(controller, { annotations: mine }),
        gateway: {
          service: {
            annotations: {
              'traefik.ingress.kubernetes.io/service.sticky.cookie.name': 'other',
              'haproxy.org/cookie-persistence': 'other',
            },
          },
        },
      })
      const main = resources.find(({ kind }) =>
        ['Ingress', 'HTTPProxy', 'HTTPRoute', 'VirtualService'].includes(kind),
      )
      expect(main?.metadata.annotations).toMatchObject(mine)
      expect(find(resources, 'Service', 'gateway').metadata.annotations).toMatchObject({
        'traefik.ingress.kubernetes.io/service.sticky.cookie.name': 'other',
        'haproxy.org/cookie-persistence': 'other',
      })
    })
  })

  it('says nothing to any controller while ingress is off', async () => {
    for (const controller of CONTROLLERS) {
      const { ingress: settings } = ingress(controller) as { ingress: Values }
      const resources = routing(await helm.render({ ingress: { ...settings, enabled: false } }))
      expect(kinds(resources)).toEqual([
        'Service chat-roomcast-broker',
        'Service chat-roomcast-gateway',
        'Service chat-roomcast-presence',
      ])
      expect(resources.filter(({ metadata }) => metadata.annotations !== undefined)).toEqual([])
    }
  })

  it('speaks both forms of session persistence of the Gateway API', async () => {
    const persistence = async (form: string): Promise<unknown> => {
      const values = ingress('gateway-api', {
        gatewayApi: { parentRefs: [{ name: 'public' }], sessionPersistence: form },
      })
      return at(find(await helm.render(values), 'HTTPRoute', ''), 'spec.rules.0.sessionPersistence')
    }
    expect(await persistence('v1.6')).toEqual({
      type: 'Cookie',
      absoluteTimeout: '3600s',
      sessionName: 'roomcast',
      cookieConfig: { lifetimeType: 'Permanent' },
    })
    expect(await persistence('v1.7')).toEqual({
      type: 'Cookie',
      absoluteTimeout: '3600s',
      cookie: { name: 'roomcast', path: '/', lifetimeType: 'Permanent' },
    })
  })

  it('tests the Ingress with a client that stays at its gateway only if it does', async () => {
    const urls = async (values: Values): Promise<unknown> => {
      const env = at(find(await helm.render(values), 'Pod', 'test'), 'spec.containers.0.env') as {
        name: string
        value?: string
      }[]
      return env.filter(({ name }) => /^(PUBLIC|STICKY)_URLS$/.test(name)).map(({ value }) => value)
    }
    expect(await urls({})).toEqual(['http://chat-roomcast-gateway:80', ''])
    expect(await urls(ingress('traefik'))).toEqual([
      'http://chat-roomcast-gateway:80',
      'http://chat.example.org',
    ])
    expect(await urls(ingress('traefik', { affinity: { enabled: false } }))).toEqual([
      'http://chat-roomcast-gateway:80,http://chat.example.org',
      '',
    ])
    expect(await urls({ gateway: { service: { sessionAffinity: 'ClientIP' } } })).toEqual([
      '',
      'http://chat-roomcast-gateway:80',
    ])
  })
})
