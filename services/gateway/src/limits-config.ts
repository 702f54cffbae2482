import { ROOMS_PER_CONNECTION_MAX } from '@roomcast/protocol'
import {
  bytes,
  count,
  list,
  ms,
  trustedProxies,
  type SettingsShape,
  type TrustedProxies,
} from '@roomcast/runtime'
import type { z } from 'zod'

/** What a socket that says as much as it may can need of events: its joins, histories and the like besides. */
const EVENTS_PER_SAY = 5
/** Bytes that an event may have on the average: a long text with data. */
const BYTES_PER_EVENT = 16_384

const ORIGIN = /^(\*|null|[a-z][a-z\d+.-]*:\/\/(\*\.)?[^/*\s]+)$/i

export const limitsSettings = {
  TRUSTED_PROXIES: trustedProxies().describe(
    "The proxies in front whose `X-Forwarded-For` counts: addresses and networks, separated by commas, or how many of them a request passes. Unset, a client's address is the one that the connection comes from.",
  ),
  CORS_ORIGINS: list(
    'origin',
    ORIGIN,
    'must be origins such as https://example.org or https://*.example.org, null, or *',
  )
    .optional()
    .describe(
      'Origins of pages on other hosts that may connect, separated by commas: `https://example.org`, `https://*.example.org` for every host below it, `null` for pages from files, or `*` for all. Unset, pages of the same host name alone. Clients that send no `Origin`, which are no pages, may always.',
    ),
  MAX_CONNECTIONS: count(50_000, 0, 10_000_000).describe(
    'Connections that a gateway takes; a new one beyond it gets 503 and tries elsewhere. 0: any number.',
  ),
  CONNECTIONS_PER_ADDRESS: count(0, 0, 10_000_000).describe(
    'Connections that one address may have at this gateway; a new one beyond it gets 429. 0: any number. Without `TRUSTED_PROXIES` all that come through a proxy are one address.',
  ),
  CONNECTIONS_PER_USER: count(0, 0, 1_000_000).describe(
    'Connections in rooms that one user may have at this gateway; a `join` over another one gets `too_many`. 0: any number.',
  ),
  CONNECT_RATE_PER_SECOND: count(1_000, 0, 1_000_000).describe(
    'New connections a second that a gateway takes for long, and as many at once. Others wait for their turn for up to `CONNECT_WAIT_MS`. 0: any number.',
  ),
  CONNECT_WAIT_MS: ms(5_000, 15_000).describe(
    'How long a new connection may wait for its turn; one that would wait longer gets 503 and comes back.',
  ),
  CONNECT_RATE_PER_ADDRESS: count(0, 0, 1_000_000).describe(
    'New connections a second from one address at this gateway, ten times as many at once after a pause; over it 429. 0: any number.',
  ),
  CONNECT_TIMEOUT_MS: ms(20_000, 600_000, 100).describe(
    'How long a connection may take to enter its first namespace before it is closed.',
  ),
  UPGRADE_TIMEOUT_MS: ms(10_000, 600_000, 100).describe(
    'How long the change from polling to websocket may take before the websocket is closed.',
  ),
  HEADERS_TIMEOUT_MS: ms(10_000, 600_000, 100).describe(
    'How long the head of an HTTP request may take to arrive before its connection is closed.',
  ),
  REQUEST_TIMEOUT_MS: ms(30_000, 600_000, 100).describe(
    'How long a whole HTTP request, with its body, may take to arrive; not less than `HEADERS_TIMEOUT_MS`.',
  ),
  MAX_HEADER_BYTES: bytes(16_384, 1_024, 1_048_576).describe(
    'Bytes that the head of an HTTP request may have; over it the answer is 431.',
  ),
  ROOMS_PER_CONNECTION: count(ROOMS_PER_CONNECTION_MAX, 1, 100_000).describe(
    'Namespaces, the main one included, that one connection may enter.',
  ),
  EVENT_RATE_PER_SECOND: optionalCount(1, 10_000_000).describe(
    `Packets a second that one connection may send for long, ten times as many at once after a pause. Over it events get \`rate_limited\`, and who is as much again over it is closed. Unset, ${EVENTS_PER_SAY} times \`SAY_RATE_PER_SECOND\`.`,
  ),
  BYTE_RATE_PER_SECOND: optionalCount(1_024, 4_294_967_296).describe(
    `The same in bytes. Unset, ${BYTES_PER_EVENT} times \`EVENT_RATE_PER_SECOND\`.`,
  ),
  JOIN_RATE_PER_SECOND: count(1, 1, 1_000_000).describe(
    'Joins a second of one socket, ten times as many at once after a pause; over it `join` gets `rate_limited`.',
  ),
  JOIN_RATE_PER_ADDRESS: count(0, 0, 1_000_000).describe(
    'The same for all sockets from one address at this gateway. 0: any number.',
  ),
  ROOM_RATE_PER_SECOND: count(0, 0, 1_000_000).describe(
    'Messages a second in one room, in the whole cluster, ten times as many at once after a pause; over it `say` gets `rate_limited`. 0: any number. The same for all gateways.',
  ),
} satisfies SettingsShape

function optionalCount(min: number, max: number) {
  return count(min, min, max).unwrap().optional()
}

export interface LimitsConfig {
  readonly trustedProxies: TrustedProxies
  readonly corsOrigins: readonly string[] | undefined
  /** 0, here and below: no limit. */
  readonly maxConnections: number
  readonly connectionsPerAddress: number
  readonly connectionsPerUser: number
  readonly connectRatePerSecond: number
  readonly connectWaitMs: number
  readonly connectRatePerAddress: number
  readonly connectTimeoutMs: number
  readonly upgradeTimeoutMs: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly maxHeaderBytes: number
  readonly roomsPerConnection: number
  readonly eventRatePerSecond: number
  readonly byteRatePerSecond: number
  readonly joinRatePerSecond: number
  readonly joinRatePerAddress: number
  readonly roomRatePerSecond: number
}

export function limitsOf(
  e: z.output<z.ZodObject<typeof limitsSettings>> & { readonly SAY_RATE_PER_SECOND: number },
): LimitsConfig {
  const eventRatePerSecond = e.EVENT_RATE_PER_SECOND ?? EVENTS_PER_SAY * e.SAY_RATE_PER_SECOND
  return {
    trustedProxies: e.TRUSTED_PROXIES ?? [],
    corsOrigins: e.CORS_ORIGINS,
    maxConnections: e.MAX_CONNECTIONS,
    connectionsPerAddress: e.CONNECTIONS_PER_ADDRESS,
    connectionsPerUser: e.CONNECTIONS_PER_USER,
    connectRatePerSecond: e.CONNECT_RATE_PER_SECOND,
    connectWaitMs: e.CONNECT_WAIT_MS,
    connectRatePerAddress: e.CONNECT_RATE_PER_ADDRESS,
    connectTimeoutMs: e.CONNECT_TIMEOUT_MS,
    upgradeTimeoutMs: e.UPGRADE_TIMEOUT_MS,
    headersTimeoutMs: e.HEADERS_TIMEOUT_MS,
    // Node refuses a head that may take longer than the whole.
    requestTimeoutMs: Math.max(e.REQUEST_TIMEOUT_MS, e.HEADERS_TIMEOUT_MS),
    maxHeaderBytes: e.MAX_HEADER_BYTES,
    roomsPerConnection: e.ROOMS_PER_CONNECTION,
    eventRatePerSecond,
    byteRatePerSecond: e.BYTE_RATE_PER_SECOND ?? BYTES_PER_EVENT * eventRatePerSecond,
    joinRatePerSecond: e.JOIN_RATE_PER_SECOND,
    joinRatePerAddress: e.JOIN_RATE_PER_ADDRESS,
    roomRatePerSecond: e.ROOM_RATE_PER_SECOND,
  }
}
