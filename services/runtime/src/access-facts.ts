import type { Log } from './log.ts'
import type { SecretFileFacts } from './secret-file.ts'
import type { Telemetry } from './telemetry.ts'

/** Why a caller of an HTTP API was refused. */
export const KEY_REFUSALS = ['no_key', 'wrong_key', 'scope', 'room'] as const
export type KeyRefusal = (typeof KEY_REFUSALS)[number]

/** What of a service is read from a file again and again. */
export type SecretName = 'api_keys' | 'internal_token' | 'hook_secret'

/** Registers what tells of one file of secrets. `service` is the service's name in the names of metrics. */
export function createSecretFacts(
  service: string,
  secret: SecretName,
  { telemetry: { meter }, log }: { readonly telemetry: Telemetry; readonly log: Log },
): SecretFileFacts {
  const rereads = meter.createCounter(`roomcast_${service}_secret_rereads`, {
    description:
      'Times that a file of secrets had changed, and times that it could not be used, after which its last good content stays in force.',
  })
  for (const result of ['changed', 'failed']) rereads.add(0, { secret, result })
  return {
    changed() {
      rereads.add(1, { secret, result: 'changed' })
      log.info({ secret }, 'a file of secrets changed, and is in force')
    },
    failed(fault) {
      rereads.add(1, { secret, result: 'failed' })
      log.error(
        { secret, fault },
        'a file of secrets can not be used: its last good content stays in force',
      )
    },
  }
}

/** What happens at the doors of an HTTP API. */
export interface KeyFacts {
  refused(reason: KeyRefusal): void
}

export function createKeyFacts(
  service: string,
  { telemetry: { meter }, isOpen }: { readonly telemetry: Telemetry; readonly isOpen: boolean },
): KeyFacts {
  const refusals = meter.createCounter(`roomcast_${service}_key_refusals`, {
    description: 'Requests that were refused for their API key, by what was wrong with it.',
  })
  for (const reason of KEY_REFUSALS) refusals.add(0, { reason })
  meter
    .createObservableGauge(`roomcast_${service}_open`, {
      description: '1 while there are no API keys, so that everybody who reaches it may do all.',
    })
    .addCallback((gauge) => gauge.observe(isOpen ? 1 : 0))
  return { refused: (reason) => refusals.add(1, { reason }) }
}
