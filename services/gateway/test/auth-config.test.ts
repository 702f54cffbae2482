import { describe, expect, it } from '@jest/globals'
import { SettingsError } from '@roomcast/runtime'
import { parseConfig } from '../src/config.ts'

const SECRET = 's'.repeat(32)
const JWKS = 'https://issuer.example/jwks.json'

const configOf = (env: Record<string, string>) =>
  parseConfig({
    REDIS_URL: 'redis://127.0.0.1',
    BROKER_URL: 'http://127.0.0.1',
    PRESENCE_URL: 'http://127.0.0.1',
    ...env,
  }).auth

const faultsOf = (env: Record<string, string>): readonly string[] => {
  try {
    configOf(env)
    return []
  } catch (error) {
    if (error instanceof SettingsError) return error.faults
    throw error
  }
}

it('without a secret or a key set the gateway is open', () => {
  expect(configOf({})).toBeUndefined()
})

it('algorithms are pinned to what the keys are for', () => {
  expect(configOf({ AUTH_JWT_SECRET: SECRET })?.algorithms).toEqual(['HS256'])
  expect(configOf({ AUTH_JWKS_URL: JWKS })?.algorithms).not.toContain('HS256')
  expect(configOf({ AUTH_JWKS_URL: JWKS, AUTH_ALGORITHMS: 'ES256' })?.algorithms).toEqual(['ES256'])
})

describe('contradictions are faults', () => {
  it.each<[string, Record<string, string>, string]>([
    ['both', { AUTH_JWT_SECRET: SECRET, AUTH_JWKS_URL: JWKS }, 'AUTH_JWKS_URL'],
    ['a short secret', { AUTH_JWT_SECRET: 'short' }, 'AUTH_JWT_SECRET'],
    ['one too short for its hash', { AUTH_JWT_SECRET: SECRET, AUTH_ALGORITHMS: 'HS512' }, 'HS512'],
    ['none', { AUTH_JWKS_URL: JWKS, AUTH_ALGORITHMS: 'none' }, 'AUTH_ALGORITHMS'],
    ['a hash with a key set', { AUTH_JWKS_URL: JWKS, AUTH_ALGORITHMS: 'RS256,HS256' }, 'key set'],
    ['a key with a secret', { AUTH_JWT_SECRET: SECRET, AUTH_ALGORITHMS: 'RS256' }, 'secret'],
    ['an audience that nobody checks', { AUTH_AUDIENCE: 'chat' }, 'AUTH_AUDIENCE'],
    ['rooms that nobody checks', { AUTH_ROOMS_REQUIRED: 'true' }, 'AUTH_ROOMS_REQUIRED'],
    ['a password in a URL', { AUTH_JWKS_URL: 'https://a:b@issuer.example/' }, 'AUTH_JWKS_URL'],
    ['a file', { AUTH_JWKS_URL: 'file:///etc/keys' }, 'AUTH_JWKS_URL'],
  ])('%s', (_what, env, named) => {
    const faults = faultsOf(env)
    expect(faults.join()).toContain(named)
    expect(faults.join()).not.toContain(SECRET)
  })
})
