import type { IncomingMessage } from 'node:http'
import proxyAddr from '@fastify/proxy-addr'
import { addressKey, type TrustedProxies } from '@roomcast/runtime'

/** Where requests come from, past the proxies that are trusted. */
export interface ClientAddresses {
  /** By what the client's address is counted; see `addressKey`. */
  keyOf(request: IncomingMessage): string
  /** The host that the client asked for: as a trusted proxy says, else as the request does. */
  hostOf(request: IncomingMessage): string | undefined
}

/** What cannot be made out counts as one address. */
const UNKNOWN = 'unknown'

export function clientAddresses(trusted: TrustedProxies): ClientAddresses {
  const trusts = trustOf(trusted)
  return {
    keyOf(request) {
      const { remoteAddress } = request.socket
      // A proxy may be trusted and yet write what is no address.
      return (
        (trusts === undefined ? undefined : addressKey(proxyAddr(request, trusts))) ??
        addressKey(remoteAddress) ??
        UNKNOWN
      )
    },
    hostOf({ headers, socket }) {
      const forwarded = headers['x-forwarded-host']
      const isTrusted = trusts?.(socket.remoteAddress ?? '', 0) === true
      if (!isTrusted || forwarded === undefined) return headers.host
      return [forwarded].flat().join(',').split(',').at(-1)?.trim()
    },
  }
}

function trustOf(trusted: TrustedProxies): ((address: string, hop: number) => boolean) | undefined {
  if (typeof trusted === 'number') return trusted === 0 ? undefined : (_, hop) => hop < trusted
  return trusted.length === 0 ? undefined : proxyAddr.compile([...trusted])
}
