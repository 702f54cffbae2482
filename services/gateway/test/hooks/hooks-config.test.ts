import { describe, expect, it } from '@jest/globals'
import { parseConfig } from '../../src/config.ts'

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const env = {
  REDIS_URL: 'redis://127.0.0.1',
  BROKER_URL: 'http://127.0.0.1:8070',
  PRESENCE_URL: 'http://127.0.0.1:8090',
}
const hooksOf = (more: Record<string, string>) => parseConfig({ ...env, ...more }).hooks

describe('the settings of hooks', () => {
  it('are none without a URL', () => {
    expect(hooksOf({})).toBeUndefined()
    expect(hooksOf({ HOOK_SECRET: SECRET })).toBeUndefined()
  })

  it('deny what can not be asked, unless they say otherwise', () => {
    expect(hooksOf({ HOOK_SAY_URL: 'http://backend/say', HOOK_SECRET: SECRET })).toEqual({
      joinUrl: undefined,
      sayUrl: 'http://backend/say',
      secrets: [Buffer.alloc(32, 1)],
      secretFile: undefined,
      timeoutMs: 1_000,
      failurePolicy: 'deny',
      concurrency: 64,
      queueMax: 1_000,
    })
  })

  it.each([
    [{ HOOK_JOIN_URL: 'http://a/b' }, 'HOOK_SECRET: is required with HOOK_JOIN_URL'],
    [{ HOOK_JOIN_URL: 'http://a/b,http://c/d', HOOK_SECRET: SECRET }, 'HOOK_JOIN_URL: must be one'],
    [{ HOOK_SAY_URL: 'http://me:secret@a/b' }, 'HOOK_SAY_URL: must not have a user or password'],
    [{ HOOK_JOIN_URL: 'ftp://a/b' }, 'HOOK_JOIN_URL: must be'],
    [{ HOOK_SECRET: 'my-secret' }, 'HOOK_SECRET: each secret must be whsec_ and 24 to 64 bytes'],
    [{ HOOK_SECRET: SECRET, HOOK_SECRET_FILE: '/x' }, 'HOOK_SECRET_FILE: can not be set together'],
    [{ HOOK_FAILURE_POLICY: 'maybe' }, 'HOOK_FAILURE_POLICY: must be allow or deny'],
  ])('%j is a fault', (more, words) => expect(() => hooksOf(more)).toThrow(words))
})
