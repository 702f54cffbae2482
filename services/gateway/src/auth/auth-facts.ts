import type { Telemetry } from '@roomcast/runtime'
import { AUTH_RESULTS, type AuthResult } from './tokens.ts'

/** What operators count of tokens. */
export interface AuthFacts {
  judged(result: AuthResult): void
  /** An attempt to read the key set. */
  keysRead(isRead: boolean): void
}

export function createAuthFacts({ meter }: Pick<Telemetry, 'meter'>): AuthFacts {
  const judged = meter.createCounter('roomcast_gateway_auth', {
    description: 'Tokens that were looked at, by how it ended.',
  })
  const reads = meter.createCounter('roomcast_gateway_jwks_reads', {
    description: 'Attempts to read the key set of tokens, by how they ended.',
  })
  for (const result of AUTH_RESULTS) judged.add(0, { result })
  for (const result of ['read', 'failed']) reads.add(0, { result })
  return {
    judged: (result) => judged.add(1, { result }),
    keysRead: (isRead) => reads.add(1, { result: isRead ? 'read' : 'failed' }),
  }
}
