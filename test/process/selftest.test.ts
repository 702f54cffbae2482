import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { getJson, startDeployment, type Deployment } from '../support/deployment.ts'
import { startProcess, until } from '../support/processes.ts'
import { freePort } from '../support/redis.ts'

const cwd = fileURLToPath(new URL('../..', import.meta.url))
const KEY = '0123456789abcdef'

/** How long a whole self-test may take, in milliseconds. */
const LIMIT_MS = 25_000

const selftest = (env: Record<string, string>) =>
  startProcess(
    process.execPath,
    [
      '--conditions=source',
      '--disable-warning=ExperimentalWarning',
      'services/gateway/src/selftest.ts',
    ],
    { cwd, env },
  )

function addressesOf({ gateways, brokers, presences }: Deployment): Record<string, string> {
  const urls = (services: Deployment['gateways']): string => services.map(({ url }) => url).join()
  return {
    GATEWAYS_URL: urls(gateways),
    STICKY_URLS: gateways[0]?.url ?? '',
    PUBLIC_URLS: `${gateways[1]?.url},http://nowhere.invalid`,
    BROKER_URL: urls(brokers),
    PRESENCE_URL: urls(presences),
  }
}

describe('the self-test', () => {
  it('finds that all of it works, over every address, and leaves nothing behind', async () => {
    await using deployment = await startDeployment({ env: { API_KEYS: KEY } })
    await using test = selftest({ ...addressesOf(deployment), API_KEYS: KEY })
    const status = await test.ended(LIMIT_MS)
    expect(test.output()).toContain('2 gateways; alice uses')
    expect(test.output()).toContain('ok: presence counts 2 members on 2 of the gateways')
    expect(test.output()).toContain('leads to the same rooms by polling')
    expect(test.output()).toContain('passed over: http://nowhere.invalid')
    expect(test.output()).toMatch(/Roomcast works\n$/)
    expect(status).toBe(0)
    const [presence] = deployment.presences
    await until('presence to count nobody', async () => {
      const { members } = await getJson<{ members: number }>(`${presence?.url}/v1/stats`)
      return members === 0
    })
  })

  it('gets in where tokens are required, and finds that nobody does without one', async () => {
    const secret = 'a secret that is long enough for a hash'
    await using deployment = await startDeployment({
      gateways: 2,
      env: { AUTH_JWT_SECRET: secret, AUTH_AUDIENCE: 'chat' },
    })
    const auth = { ...addressesOf(deployment), AUTH_REQUIRED: 'true', AUTH_AUDIENCE: 'chat' }
    await using test = selftest({ ...auth, AUTH_JWT_SECRET: secret })
    expect(await test.ended(LIMIT_MS)).toBe(0)
    expect(test.output()).toContain('ok: who has no token is refused')
    expect(test.output()).toMatch(/Roomcast works\n$/)
    // With a key set alone it can make none.
    await using tokenless = selftest(auth)
    expect(await tokenless.ended(LIMIT_MS)).toBe(0)
    expect(tokenless.output()).toContain('passed over: what members do')
  })

  it('says in words what does not work, and ends with 1', async () => {
    await using deployment = await startDeployment({ env: { API_KEYS: KEY } })
    const addresses = addressesOf(deployment)

    await using withoutKey = selftest(addresses)
    expect(await withoutKey.ended(LIMIT_MS)).toBe(1)
    expect(withoutKey.output()).toMatch(/failed: POST http:\S+ was answered 401: .*unauthorized/)

    const nobody = `http://127.0.0.1:${await freePort()}`
    await using withoutPresence = selftest({ ...addresses, PRESENCE_URL: nobody })
    expect(await withoutPresence.ended(LIMIT_MS)).toBe(1)
    expect(withoutPresence.output()).toMatch(/failed: GET http:\S+ failed: .*ECONNREFUSED/)
    expect(withoutPresence.output()).not.toMatch(/^\s+at /m)
  })

  it('says the likely cause where it may ask who is ready', async () => {
    await using deployment = await startDeployment()
    const nobody = `http://127.0.0.1:${await freePort()}`
    const healthOf = (services: Deployment['gateways']): string =>
      services.map(({ metricsUrl }) => metricsUrl).join()
    await using test = selftest({
      ...addressesOf(deployment),
      BROKER_URL: nobody,
      GATEWAY_HEALTH_URL: healthOf(deployment.gateways),
      BROKER_HEALTH_URL: nobody,
      PRESENCE_HEALTH_URL: healthOf(deployment.presences),
    })
    expect(await test.ended(LIMIT_MS)).toBe(1)
    expect(test.output()).toMatch(/^failed: GET http:\S+ failed: .*ECONNREFUSED/m)
    expect(test.output()).toContain('likely cause: 1 of 1 brokers do not run')
  })

  it('names what it needs to be told', async () => {
    await using test = selftest({})
    expect(await test.ended()).toBe(1)
    expect(test.output()).toContain('failed: GATEWAYS_URL: ')
    expect(test.output()).toContain('BROKER_URL: ')
  })
})
