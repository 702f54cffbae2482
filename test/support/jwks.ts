import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTPayload,
} from 'jose'

/** A key pair of an issuer of tokens. */
export interface IssuerKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
  /** A token that it signed. */
  sign(claims: JWTPayload): Promise<string>
}

export async function newKey(kid: string, alg = 'ES256'): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  return {
    kid,
    alg,
    privateKey,
    jwk,
    sign: (claims) => new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(privateKey),
  }
}

/** A server that publishes a JSON Web Key Set, as an issuer of tokens has it. */
export interface KeyServer extends AsyncDisposable {
  readonly url: string
  /** Times that it was asked. */
  asked(): number
  publish(...keys: readonly IssuerKey[]): void
  /** With another status than 200 it answers that alone. */
  answer(status: number): void
}

export async function startKeyServer(...first: readonly IssuerKey[]): Promise<KeyServer> {
  let keys = first
  let status = 200
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
    response.end(status === 200 ? JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }) : '')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    asked: () => asked,
    publish: (...published) => void (keys = published),
    answer: (answered) => void (status = answered),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
