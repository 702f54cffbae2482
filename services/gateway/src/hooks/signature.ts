import { createHmac } from 'node:crypto'
import { secretLines, SecretsFault } from '@roomcast/runtime'

/** The bytes of a secret, by which requests are signed. */
export type HookSecret = Buffer

/** How a secret of Standard Webhooks is written: this, and its bytes in base64. */
const PREFIX = 'whsec_'
const SECRET_MIN_BYTES = 24
const SECRET_MAX_BYTES = 64
/** Secrets at a time: the present one, and the one that comes. */
const SECRETS_MAX = 4

/** The secrets of a text, one a line. Throws `SecretsFault`. */
export function parseHookSecrets(text: string): readonly HookSecret[] {
  return secretLines(text, 'secret', SECRETS_MAX).map((line) => {
    const encoded = line.startsWith(PREFIX) ? line.slice(PREFIX.length) : ''
    const bytes = Buffer.from(encoded, 'base64')
    const isWhole = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
    if (isWhole && bytes.length >= SECRET_MIN_BYTES && bytes.length <= SECRET_MAX_BYTES)
      return bytes
    throw new SecretsFault(
      `each secret must be ${PREFIX} and ${SECRET_MIN_BYTES} to ${SECRET_MAX_BYTES} bytes in base64`,
    )
  })
}

/**
 * The headers that say who sent a body, and when: those of Standard Webhooks 1.0 (https://www.standardwebhooks.com), with one signature by
 * each secret. `timestamp` is in whole seconds since 1970.
 */
export function signatureHeaders(
  secrets: readonly HookSecret[],
  {
    id,
    timestamp,
    body,
  }: { readonly id: string; readonly timestamp: number; readonly body: string },
): Record<string, string> {
  const signed = `${id}.${timestamp}.${body}`
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`,
  )
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  }
}
