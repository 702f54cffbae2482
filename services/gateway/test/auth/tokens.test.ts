import { afterEach, describe, expect, it } from '@jest/globals'
import { createSecretKey } from 'node:crypto'
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { RoomId } from '@roomcast/protocol'
import { newKey, startKeyServer, type KeyServer } from '../../../../test/support/jwks.ts'
import { until } from '../../../../test/support/processes.ts'
import type { AuthConfig } from '../../src/auth-config.ts'
import { createKeySet } from '../../src/auth/jwks.ts'
import { mintToken, type TokenClaims } from '../../src/auth/minting.ts'
import { createTokens, TOKEN_MAX_CHARS } from '../../src/auth/tokens.ts'

const SECRET = 'a secret that is long enough for a hash'
const NOW_S = 1_800_000_000
const NOW = NOW_S * 1_000

const COMMON = {
  issuer: undefined,
  audience: undefined,
  clockSkewMs: 5_000,
  areRoomsRequired: false,
  isTokenInQuery: false,
  refreshBurst: 10,
}
const bySecret = (changes: Partial<AuthConfig> = {}, now = NOW) =>
  createTokens(
    {
      ...COMMON,
      keys: { kind: 'secret', secret: SECRET },
      algorithms: ['HS256'],
      ...changes,
    },
    { keyFor: undefined, now: () => now },
  )
const alice = { sub: 'u1', name: 'alice', iat: NOW_S, exp: NOW_S + 60 }
const resultOf = async (claims: unknown, changes?: Partial<AuthConfig>, now?: number) => {
  const token = await mintToken(SECRET, claims as TokenClaims)
  return (await bySecret(changes, now).judge(token)).result
}

const stack = new AsyncDisposableStack()
const servers: KeyServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
})

describe('by a secret, a token', () => {
  it('says who its holder is', async () => {
    const token = await mintToken(SECRET, {
      ...alice,
      rooms: [{ pattern: 'team-*', read: true, write: false }],
    })
    const verdict = await bySecret().judge(token)
    if (verdict.result !== 'accepted') throw new Error(verdict.result)
    const { identity } = verdict
    const room = RoomId.parse('team-1')
    expect(identity).toMatchObject({
      user: 'u1',
      name: 'alice',
      issuedAt: NOW,
      expiresAt: NOW + 60_000,
    })
    expect([identity.mayRead(room), identity.mayWrite(room)]).toEqual([true, false])
  })

  it.each<[string, unknown, string]>([
    ['that is not there', undefined, 'missing'],
    ['that is empty', '', 'missing'],
    ['that is no string', { alg: 'none' }, 'malformed'],
    ['that is no token', 'a.b.c', 'malformed'],
    ['that is huge', `${'e'.repeat(TOKEN_MAX_CHARS)}.e.e`, 'malformed'],
    ['that nobody signed', new UnsecuredJWT(alice).encode(), 'algorithm'],
  ])('%s is refused', async (_what, token, result) => {
    expect((await bySecret().judge(token)).result).toBe(result)
  })

  it('of another secret or algorithm is refused', async () => {
    const other = await mintToken(`${SECRET}!`, alice)
    expect((await bySecret().judge(other)).result).toBe('signature')
    const longer = await mintToken(SECRET.repeat(2), alice, 'HS512')
    expect((await bySecret().judge(longer)).result).toBe('algorithm')
    const key = await newKey('k', 'RS256')
    expect((await bySecret().judge(await key.sign(alice))).result).toBe('algorithm')
  })

  it.each<[string, unknown, string]>([
    ['without a subject', { name: 'alice' }, 'claims'],
    ['with an empty one', { sub: '' }, 'claims'],
    ['with a line feed in it', { sub: 'a\nb' }, 'claims'],
    ['with a number for it', { sub: 7 }, 'claims'],
    ['with a long one', { sub: 'a'.repeat(129) }, 'claims'],
    ['with a name that is none', { sub: 'a', name: ' ' }, 'claims'],
    ['with rooms that are no list', { sub: 'a', rooms: 'team-*' }, 'claims'],
    ['with a rule that is misspelt', { sub: 'a', rooms: [{ pattern: '*', raed: true }] }, 'claims'],
    [
      'with a rule that leaves a right out',
      { sub: 'a', rooms: [{ pattern: '*', read: true }] },
      'claims',
    ],
    ['that begins later', { sub: 'a', nbf: NOW_S + 6 }, 'claims'],
    ['that is over', { sub: 'a', exp: NOW_S - 5 }, 'expired'],
    ['that is over within the skew', { sub: 'a', exp: NOW_S - 4 }, 'accepted'],
    ['that begins within the skew', { sub: 'a', nbf: NOW_S + 5 }, 'accepted'],
    ['without a name, rooms or end', { sub: 'a' }, 'accepted'],
  ])('%s: %j is %s', async (_what, claims, result) => {
    expect(await resultOf(claims)).toBe(result)
  })

  it('is as late as the skew says, to the millisecond', async () => {
    const claims = { sub: 'a', exp: NOW_S }
    expect(await resultOf(claims, { clockSkewMs: 1_500 }, NOW + 1_499)).toBe('accepted')
    expect(await resultOf(claims, { clockSkewMs: 1_500 }, NOW + 1_500)).toBe('expired')
  })

  it('has to be of the issuer, for the audience, and for rooms where that is asked', async () => {
    const wants = { issuer: 'me', audience: ['chat', 'talk'] }
    expect(await resultOf({ sub: 'a' }, wants)).toBe('claims')
    expect(await resultOf({ sub: 'a', iss: 'me', aud: 'mail' }, wants)).toBe('claims')
    expect(await resultOf({ sub: 'a', iss: 'you', aud: 'chat' }, wants)).toBe('claims')
    expect(await resultOf({ sub: 'a', iss: 'me', aud: ['mail', 'talk'] }, wants)).toBe('accepted')
    expect(await resultOf({ sub: 'a' }, { areRoomsRequired: true })).toBe('claims')
    expect(await resultOf({ sub: 'a', rooms: [] }, { areRoomsRequired: true })).toBe('accepted')
  })
})

describe('by a key set, a token', () => {
  async function start(...keys: readonly Awaited<ReturnType<typeof newKey>>[]) {
    const server = await startKeyServer(...keys)
    servers.push(server)
    let nowMs = 0
    const reads: boolean[] = []
    const begin = () => {
      const keySet = createKeySet({
        url: new URL(server.url),
        cacheMs: 600_000,
        cooldownMs: 10_000,
        timeoutMs: 1_000,
        now: () => nowMs,
        onRead: (error) => reads.push(error === undefined),
      })
      stack.defer(() => keySet.close())
      const config = {
        ...COMMON,
        keys: { kind: 'secret' as const, secret: '' },
        algorithms: ['RS256', 'ES256', 'EdDSA'],
      }
      const { judge } = createTokens(
        {
          ...config,
          keys: { kind: 'jwks', url: new URL(server.url), cacheMs: 1, cooldownMs: 1, timeoutMs: 1 },
        },
        { keyFor: keySet.keyFor, now: () => NOW },
      )
      return { keySet, judge: async (token: string) => (await judge(token)).result }
    }
    return { server, reads, pass: (ms: number) => (nowMs += ms), ...begin() }
  }
  const claims: JWTPayload = { sub: 'u1', exp: NOW_S + 60 }

  it.each(['RS256', 'ES256', 'EdDSA'])('of %s is accepted', async (alg) => {
    const key = await newKey('k', alg)
    const { judge } = await start(key)
    expect(await judge(await key.sign(claims))).toBe('accepted')
  })

  it('signed by the public key as if it were a secret, or by nobody, is refused', async () => {
    const key = await newKey('k', 'RS256')
    const { judge, server } = await start(key)
    const pem = await exportSPKI(
      (await importJWK(key.jwk, 'RS256', { extractable: true })) as never,
    )
    for (const secret of [pem, JSON.stringify(key.jwk), key.jwk.n ?? '']) {
      const forged = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: 'k' })
        .sign(createSecretKey(Buffer.from(secret)))
      expect(await judge(forged)).toBe('algorithm')
    }
    expect(await judge(new UnsecuredJWT(claims).encode())).toBe('algorithm')
    // A key that the token brings along is not looked at.
    const own = await newKey('k', 'RS256')
    const brought = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k', jwk: own.jwk, jku: 'http://127.0.0.1:1/' })
      .sign(own.privateKey)
    expect(await judge(brought)).toBe('signature')
    expect(server.asked()).toBe(1)
  })

  it('of a new key is accepted once the set may be read again, and until then not judged', async () => {
    const [old, fresh] = [await newKey('old'), await newKey('fresh')]
    const { judge, server, pass } = await start(old)
    expect(await judge(await old.sign(claims))).toBe('accepted')
    server.publish(old, fresh)
    expect(await judge(await fresh.sign(claims))).toBe('unavailable')
    pass(10_000)
    expect(await judge(await fresh.sign(claims))).toBe('accepted')
    expect(await judge(await old.sign(claims))).toBe('accepted')
  })

  it('of a removed key is refused when what is known is too old', async () => {
    const [old, fresh] = [await newKey('old'), await newKey('fresh')]
    const { judge, server, pass } = await start(old)
    const token = await old.sign(claims)
    expect(await judge(token)).toBe('accepted')
    server.publish(fresh)
    pass(599_999)
    expect(await judge(token)).toBe('accepted')
    pass(1)
    expect(await judge(token)).toBe('unknown_key')
  })

  it('of a key that nobody has is refused for good after one look, and a flood of them costs one read', async () => {
    const [key, stranger] = [await newKey('k'), await newKey('x')]
    const { judge, server, pass } = await start(key)
    expect(await judge(await key.sign(claims))).toBe('accepted')
    pass(10_000)
    const before = server.asked()
    const flood = await Promise.all(
      Array.from({ length: 200 }, async (_, i) =>
        judge(
          await new SignJWT(claims)
            .setProtectedHeader({ alg: 'ES256', kid: `made up ${i}` })
            .sign(stranger.privateKey),
        ),
      ),
    )
    expect(server.asked()).toBe(before + 1)
    expect(new Set(flood)).toEqual(new Set(['unknown_key']))
    expect(await judge(await stranger.sign(claims))).toBe('unavailable')
    expect(server.asked()).toBe(before + 1)
    expect(await judge(await key.sign(claims))).toBe('accepted')
  })

  it('goes on while the key set is away, which is asked no more often for that', async () => {
    const key = await newKey('k')
    const { judge, server, pass, reads } = await start(key)
    const token = await key.sign(claims)
    expect(await judge(token)).toBe('accepted')
    server.answer(503)
    pass(600_000)
    for (let i = 0; i < 20; i++) expect(await judge(token)).toBe('accepted')
    expect(server.asked()).toBe(2)
    expect(reads).toEqual([true, false])
  })

  it('is not judged by a key set that is too large', async () => {
    const key = await newKey('k')
    const { judge, server, reads } = await start(
      ...Array.from({ length: 2_000 }, (_, i) => ({ ...key, jwk: { ...key.jwk, kid: `k${i}` } })),
    )
    expect(await judge(await key.sign(claims))).toBe('unavailable')
    expect(reads).toEqual([false])
    expect(server.asked()).toBe(1)
  })

  it('is not judged while the key set was never read', async () => {
    const key = await newKey('k')
    const server = await startKeyServer(key)
    servers.push(server)
    server.answer(503)
    const keySet = createKeySet({
      url: new URL(server.url),
      cacheMs: 600_000,
      cooldownMs: 100,
      timeoutMs: 1_000,
      now: () => performance.now(),
      onRead: () => undefined,
    })
    stack.defer(() => keySet.close())
    const { judge } = createTokens(
      {
        ...COMMON,
        keys: { kind: 'jwks', url: new URL(server.url), cacheMs: 1, cooldownMs: 1, timeoutMs: 1 },
        algorithms: ['ES256'],
      },
      { keyFor: keySet.keyFor, now: () => NOW },
    )
    expect((await judge(await key.sign(claims))).result).toBe('unavailable')
    expect(keySet.isRead()).toBe(false)
    server.answer(200)
    // By itself: it is read without a token that asks.
    await until('the key set', () => keySet.isRead())
    expect((await judge(await key.sign(claims))).result).toBe('accepted')
  })
})
