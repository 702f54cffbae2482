import { once } from 'node:events'
import { lookup } from 'node:dns'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import type { ClientOptions } from '../../support/clients.ts'
import { until } from '../../support/processes.ts'
import type { Namespace } from './namespace.ts'
import type { Values } from './release.ts'

/** The ingress controller of the cluster, as clients outside reach it. */
export interface Entrance {
  /** What makes the chart go through it. */
  readonly values: Values
  /** Where the chat is. For browsers `*.localhost` is this machine; others need `options`. */
  readonly url: string
  /** How a Socket.IO client outside of a browser finds the host, and keeps cookies as a browser does. */
  readonly options: ClientOptions
  /**
   * Resolves when it leads to the chat: the controller learns of an Ingress on its own time, and of each gateway. With affinity it can be
   * waited for until it has led to so many of them.
   */
  isOpen(gateways?: number): Promise<void>
}

const INGRESS = new URL(process.env['E2E_INGRESS_URL'] ?? 'http://127.0.0.1:8000')
/** The host; by default one of each suite's own. */
const HOST = process.env['E2E_INGRESS_HOST']

/**
 * The Traefik at `E2E_INGRESS_URL`. With `isForAll` it leads to the chat whatever the host, so that clients need to know nothing but its
 * address; nothing else may want that meanwhile.
 */
export function entranceOf(namespace: Namespace, { isForAll = false } = {}): Entrance {
  const host = isForAll ? '' : (HOST ?? `${namespace.name}.localhost`)
  const { protocol, hostname, port } = INGRESS
  const url = isForAll ? INGRESS.origin : `${protocol}//${host}${port === '' ? '' : `:${port}`}`
  const toIngress: LookupFunction = (_, options, found) => lookup(hostname, options, found)
  const { Agent, get } = protocol === 'https:' ? https : http
  const agent = new Agent({ lookup: toIngress, keepAlive: true })
  return {
    values: { ingress: { enabled: true, controller: 'traefik', host } },
    url,
    // The types of the client know the agents of browsers alone.
    options: { agent: agent as unknown as boolean, withCredentials: true },
    async isOpen(gateways = 0) {
      /** Values of the cookie: each names a gateway. */
      const met = new Set<string>()
      await until(`a way in to ${gateways} gateways`, async () => {
        const request = get(url, { agent })
        const [response] = (await once(request, 'response').catch(() => [])) as IncomingMessage[]
        response?.resume()
        for (const cookie of response?.headers['set-cookie'] ?? [])
          met.add(cookie.split(';')[0] ?? '')
        return response?.statusCode === 200 && met.size >= gateways
      })
    },
  }
}
