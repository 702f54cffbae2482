import { describe, expect, it } from '@jest/globals'
import { brokerSettings, parseConfig } from '@roomcast/broker'

const REDIS_URL = 'redis://localhost:6379'

describe('the configuration', () => {
  it('needs REDIS_URL alone', () => {
    expect(parseConfig({ REDIS_URL })).toMatchObject({
      port: 8070,
      metricsPort: 9464,
      redisUrl: REDIS_URL,
      redisKeyPrefix: 'roomcast',
      apiKeys: [],
      apiKeysFile: undefined,
      readRequiresKey: false,
      internalTokens: [],
      internalTokenFile: undefined,
      textMaxBytes: 4_096,
      historySize: 1_000,
      historyTtlMs: 86_400_000,
    })
  })

  it('names every bad variable at once, and no value', () => {
    const env = {
      PORT: 'many',
      API_KEYS: 'short',
      HISTORY_SIZE: '0',
      REDIS_KEY_PREFIX: '{a}',
      STREAM_BUFFER_BYTES: '-1',
    }
    const parse = () => parseConfig(env)
    for (const name of ['REDIS_URL', ...Object.keys(env)]) expect(parse).toThrow(`${name}: `)
    expect(parse).not.toThrow(/short|\{a\}/)
  })

  it.each([
    [{ READ_REQUIRES_KEY: 'true' }, 'READ_REQUIRES_KEY: needs API_KEYS or API_KEYS_FILE'],
    [
      { API_KEYS: 'a-key-that-is-long-enough', API_KEYS_FILE: '/keys' },
      'API_KEYS_FILE: can not be set together with API_KEYS',
    ],
    [
      { INTERNAL_TOKEN: 'a-token-that-is-long', INTERNAL_TOKEN_FILE: '/token' },
      'INTERNAL_TOKEN_FILE: can not be set together with INTERNAL_TOKEN',
    ],
  ])('%j is a fault', (more, words) =>
    expect(() => parseConfig({ REDIS_URL: 'redis://127.0.0.1', ...more })).toThrow(words),
  )

  it('describes every setting', () => {
    for (const [name, schema] of Object.entries(brokerSettings)) {
      expect({ name, description: schema.description ?? '' }).toEqual({
        name,
        description: expect.stringMatching(/.{10,}\.$/),
      })
    }
  })
})
