import type { IncomingMessage } from 'node:http'
import { ClientError } from '@roomcast/protocol'
import type { Log } from '@roomcast/runtime'
import type { Server as EngineServer, Socket as EngineConnection } from 'engine.io'
import { createAddressRate } from './address-rate.ts'
import { createAdmission } from './admission.ts'
import type { ClientAddresses } from './client-address.ts'
import type { Facts, Refused } from './facts.ts'
import { goElsewhere, type Refuse } from './handshakes.ts'
import type { LimitsConfig } from './limits-config.ts'
import type { Origins } from './origins.ts'
import type { Guard, Request } from './requests.ts'

/** What to wait, in milliseconds, where nobody knows when another connection will end. */
export const FULL_RETRY_MS = 5_000
/** How often a refused origin is logged at most, in milliseconds: it is most likely a setting that is missing, and else an attack. */
const ORIGIN_LOG_INTERVAL_MS = 60_000

const ADDRESS = Symbol('address')

/** The address by which a connection is counted; undefined unless something asks for addresses. */
export function addressOf(connection: object): string | undefined {
  return (connection as { readonly [ADDRESS]?: string })[ADDRESS]
}

export interface ConnectionLimits {
  /** Stands before Engine.IO. */
  readonly guards: readonly Guard[]
  /** New connections that wait for their turn. */
  waiting(): number
  close(): void
}

/**
 * Which new connections there may be: of which pages, of one address, in all, and how quickly. The limits are this gateway's own: with N
 * gateways an address may have up to N times as many, spread over them.
 */
export function limitConnections(
  engine: EngineServer,
  options: {
    readonly limits: LimitsConfig
    readonly origins: Origins
    readonly addresses: ClientAddresses
    /** Whether the addresses of connections are kept also where no limit asks for them. */
    readonly keepsAddresses: boolean
    readonly refuse: Refuse
    readonly isEnding: () => boolean
    /** Connections that are open. */
    readonly open: () => number
    readonly facts: () => Facts
    readonly log: Log
    readonly now: () => number
  },
): ConnectionLimits {
  const { limits, origins, addresses, keepsAddresses, refuse, isEnding, open } = options
  const { facts, log, now } = options
  const admission = createAdmission(
    { perSecond: limits.connectRatePerSecond, waitMs: limits.connectWaitMs },
    now,
  )
  const rate = createAddressRate(limits.connectRatePerAddress, now)
  const byAddress = new Map<string, number>()
  const countsAddresses = limits.connectionsPerAddress > 0
  let originLoggedAt = -Infinity

  if (countsAddresses || keepsAddresses || limits.joinRatePerAddress > 0) {
    engine.on('connection', (connection: EngineConnection) => {
      const address = addresses.keyOf(connection.request)
      Object.assign(connection, { [ADDRESS]: address })
      if (!countsAddresses) return
      byAddress.set(address, (byAddress.get(address) ?? 0) + 1)
      connection.on('close', onClose)
    })
  }
  // Shared by all connections, which are `this`.
  function onClose(this: EngineConnection): void {
    const address = addressOf(this)
    if (address === undefined) return
    const left = (byAddress.get(address) ?? 1) - 1
    if (left > 0) byAddress.set(address, left)
    else byAddress.delete(address)
  }

  /** Why there is no room for one more now. */
  const fullness = (raw: IncomingMessage): readonly [Refused, ClientError] | undefined => {
    const { maxConnections, connectionsPerAddress } = limits
    if (maxConnections > 0 && open() >= maxConnections) return ['full', goElsewhere()]
    if (countsAddresses && (byAddress.get(addresses.keyOf(raw)) ?? 0) >= connectionsPerAddress) {
      const message = 'this address has as many connections as it may'
      return [
        'address_connections',
        new ClientError('too_many', message, { retryAfterMs: FULL_RETRY_MS }),
      ]
    }
    return undefined
  }

  const checkOrigin: Guard = (request, res, next) => {
    const { headers, raw, query, upgrade } = request
    const opens = query['sid'] === undefined || upgrade !== undefined
    const host = addresses.hostOf(raw)
    if (!opens || origins.allows(headers.origin, host)) {
      next()
      return
    }
    facts().refused('origin')
    if (now() - originLoggedAt >= ORIGIN_LOG_INTERVAL_MS) {
      originLoggedAt = now()
      log.warn(
        { origin: headers.origin, host },
        'a page was refused: CORS_ORIGINS does not name its origin',
      )
    }
    refuse(request, res, new ClientError('forbidden', 'pages of this origin may not connect here'))
  }

  const checkRoom: Guard = (request, res, next) => {
    if (!isHandshake(request)) {
      next()
      return
    }
    const { raw, upgrade } = request
    const deny = (reason: Refused, error: ClientError): void => {
      facts().refused(reason)
      refuse(request, res, error, { unpins: error.status === 503 })
    }
    // One for which there is no room anyhow need not wait to hear it.
    const full = fullness(raw)
    if (full !== undefined) {
      deny(...full)
      return
    }
    const untilNextMs = rate?.take(addresses.keyOf(raw)) ?? 0
    if (untilNextMs > 0) {
      const message = 'too many new connections from this address in a short time'
      deny(
        'address_handshakes',
        new ClientError('rate_limited', message, { retryAfterMs: untilNextMs }),
      )
      return
    }
    const enter = (): void => {
      stopWatching()
      const refused = isEnding() ? (['ending', goElsewhere()] as const) : fullness(raw)
      if (refused === undefined) next()
      else deny(...refused)
    }
    // Who is gone while it waits leaves its place to others.
    const client = upgrade ?? res
    const giveUp = (): void => {
      stopWatching()
      admission?.leave(enter)
      upgrade?.destroy()
    }
    const stopWatching = (): void => {
      client.off('close', giveUp).off('error', giveUp)
    }
    client.on('close', giveUp).on('error', giveUp)
    if (admission === undefined) {
      enter()
      return
    }
    const retryAfterMs = admission.ask(enter)
    if (retryAfterMs === 0) return
    stopWatching()
    deny(
      'handshakes',
      new ClientError('busy', 'too many new connections at a time', { retryAfterMs }),
    )
  }

  return {
    guards: [checkOrigin, checkRoom],
    waiting: () => admission?.waiting() ?? 0,
    close: () => admission?.close(),
  }
}

/** Whether Engine.IO would begin a connection; everything else it refuses by itself, and that takes nobody's place. */
function isHandshake({ method, query }: Request): boolean {
  const { sid, transport } = query
  return (
    sid === undefined && method === 'GET' && (transport === 'polling' || transport === 'websocket')
  )
}
