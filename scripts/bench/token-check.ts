/**
 * node --conditions=source scripts/bench/token-check.ts
 *
 * What it costs a gateway to check one token, which it does once for each room of a connection: microseconds of CPU time of the process,
 * and from the call to the verdict, one after another. The best of several rounds.
 */
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { AuthConfig } from '../../services/gateway/src/auth-config.ts'
import { mintToken } from '../../services/gateway/src/auth/minting.ts'
import { createTokens, type Tokens } from '../../services/gateway/src/auth/tokens.ts'

const ROUNDS = 5
const CHECKS = 3_000

const SECRET = 'a secret that is long enough for a hash'
const iat = Math.floor(Date.now() / 1_000)
const claims = {
  sub: 'user-1',
  name: 'alice',
  rooms: [{ pattern: 'team-*', read: true, write: true }],
  iat,
  exp: iat + 3_600,
}

function configOf(keys: AuthConfig['keys'], algorithm: string): AuthConfig {
  return {
    keys,
    algorithms: [algorithm],
    issuer: undefined,
    audience: undefined,
    clockSkewMs: 5_000,
    areRoomsRequired: false,
    isTokenInQuery: false,
    refreshBurst: 10,
  }
}

async function bySecret(): Promise<{ tokens: Tokens; token: string }> {
  const config = configOf({ kind: 'secret', secret: SECRET }, 'HS256')
  const tokens = createTokens(config, { keyFor: undefined, now: Date.now })
  return { tokens, token: await mintToken(SECRET, claims) }
}

async function byKey(alg: string): Promise<{ tokens: Tokens; token: string }> {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg }
  const url = new URL('http://127.0.0.1/')
  const config = configOf({ kind: 'jwks', url, cacheMs: 1, cooldownMs: 1, timeoutMs: 1 }, alg)
  const tokens = createTokens(config, {
    keyFor: createLocalJWKSet({ keys: [jwk] }),
    now: Date.now,
  })
  const token = await new SignJWT(claims).setProtectedHeader({ alg, kid: 'k' }).sign(privateKey)
  return { tokens, token }
}

async function measure({ tokens, token }: { tokens: Tokens; token: string }): Promise<string> {
  let [leastCpu, leastWall] = [Infinity, Infinity]
  for (let round = 0; round < ROUNDS; round++) {
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    for (let i = 0; i < CHECKS; i++) {
      const { result } = await tokens.judge(token)
      if (result !== 'accepted') throw new Error(result)
    }
    const { user, system } = process.cpuUsage(cpu)
    leastCpu = Math.min(leastCpu, (user + system) / CHECKS)
    leastWall = Math.min(leastWall, (1_000 * (performance.now() - startedAt)) / CHECKS)
  }
  return `${leastCpu.toFixed(0).padStart(5)} us of CPU ${leastWall.toFixed(0).padStart(5)} us`
}

process.stdout.write(`HS256 ${await measure(await bySecret())}\n`)
for (const alg of ['RS256', 'ES256', 'EdDSA'])
  process.stdout.write(`${alg} ${await measure(await byKey(alg))}\n`)
