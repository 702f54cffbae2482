import { describe, expect, it } from '@jest/globals'
import { SettingsError } from '@roomcast/runtime'
import { parseConfig } from '../src/config.ts'

describe('the configuration of presence', () => {
  it('has a default for everything', () => {
    expect(parseConfig({})).toEqual({
      host: '0.0.0.0',
      port: 8090,
      metricsPort: 9464,
      logLevel: 'info',
      apiKeys: [],
      apiKeysFile: undefined,
      readRequiresKey: false,
      internalTokens: [],
      internalTokenFile: undefined,
      leaseMs: 3_000,
      warmupMs: 4_000,
      maxStreams: 200,
      pod: expect.stringMatching(/-\d+$/),
      duties: { peers: [] },
      httpLimits: { ratePerSecond: 1_000, trustedProxies: [] },
      shutdownTimeoutMs: 30_000,
    })
  })

  it('warms up for a second longer than a lease, or as long as it is told', () => {
    expect(parseConfig({ LEASE_MS: '5000' }).warmupMs).toBe(6_000)
    expect(parseConfig({ LEASE_MS: '5000', WARMUP_MS: '0' }).warmupMs).toBe(0)
  })

  it('is named after its pod', () => {
    expect(parseConfig({ POD_NAME: 'presence-0' }).pod).toBe('presence-0')
  })

  it('reads several keys', () => {
    const keys = 'first-key-of-the-team, second-key-of-the-team'
    expect(parseConfig({ API_KEYS: keys }).apiKeys.map(({ key }) => key)).toEqual([
      'first-key-of-the-team',
      'second-key-of-the-team',
    ])
  })

  it('tells all faults at once and repeats no value', () => {
    const env = {
      PORT: '80900',
      METRICS_PORT: 'x',
      API_KEYS: 'hunter2',
      LEASE_MS: '500',
      WARMUP_MS: '-1',
      LOG_LEVEL: 'loud',
      INTERNAL_TOKEN: 'short',
    }
    let fault: unknown
    try {
      parseConfig(env)
    } catch (error) {
      fault = error
    }
    expect(fault).toBeInstanceOf(SettingsError)
    const { faults } = fault as SettingsError
    expect(faults.map((line) => line.split(':')[0]).sort()).toEqual(Object.keys(env).sort())
    expect(faults.join()).not.toMatch(/hunter2|short$/)
  })
})
