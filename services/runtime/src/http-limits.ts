import type { z } from 'zod'
import { trustedProxies, type TrustedProxies } from './client-address.ts'
import { count, type SettingsShape } from './settings.ts'

/** How much one caller may ask of an HTTP API. */
export const httpLimitsSettings = {
  HTTP_RATE_PER_SECOND: count(1_000, 0, 1_000_000).describe(
    'Requests a second to the HTTP API from one key, or without a key from one address, at this replica; over it `rate_limited`. The internal endpoints have no such limit. 0: any number.',
  ),
  TRUSTED_PROXIES: trustedProxies().describe(
    'The proxies in front whose `X-Forwarded-For` counts: addresses and networks, separated by commas, or how many of them a request passes. Unset, a caller is the address that the connection comes from.',
  ),
} satisfies SettingsShape

export interface HttpLimits {
  /** 0: any number. */
  readonly ratePerSecond: number
  readonly trustedProxies: TrustedProxies
}

export function httpLimitsOf(e: z.output<z.ZodObject<typeof httpLimitsSettings>>): HttpLimits {
  return { ratePerSecond: e.HTTP_RATE_PER_SECOND, trustedProxies: e.TRUSTED_PROXIES ?? [] }
}
