import { count, ms, secretsBy, SettingsError, urls, type SettingsShape } from '@roomcast/runtime'
import { z } from 'zod'
import { parseHookSecrets, type HookSecret } from './hooks/signature.ts'

/** What a gateway does with what it can not ask about. */
export const FAILURE_POLICIES = ['allow', 'deny'] as const
export type FailurePolicy = (typeof FAILURE_POLICIES)[number]

const hookUrl = () =>
  urls(['http', 'https'])
    .refine((list) => list.length === 1, { error: 'must be one URL' })
    // It is shown in the log; and requests are signed instead.
    .refine((list) => list.every((url) => !URL.canParse(url) || new URL(url).username === ''), {
      error: 'must not have a user or password in it',
    })

/** Asking a backend of the team's own about joins and messages: docs/hooks.md. */
export const hooksSettings = {
  HOOK_JOIN_URL: hookUrl()
    .optional()
    .describe('Where each `join`, and each recovery, is asked about before it counts.'),
  HOOK_SAY_URL: hookUrl()
    .optional()
    .describe('Where each `say` is asked about before it is published.'),
  HOOK_SECRET: secretsBy(parseHookSecrets)
    .optional()
    .describe(
      'By what these requests are signed (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64. Needed with either URL.',
    ),
  HOOK_SECRET_FILE: z
    .string()
    .optional()
    .describe(
      'A file with such secrets, one a line, instead of `HOOK_SECRET`: requests carry a signature by each. It is read again every 2 s.',
    ),
  HOOK_TIMEOUT_MS: ms(1_000, 60_000, 10).describe(
    'How long an answer may take, waiting for a connection included.',
  ),
  HOOK_FAILURE_POLICY: z
    .enum(FAILURE_POLICIES, { error: `must be ${FAILURE_POLICIES.join(' or ')}` })
    .default('deny')
    .describe(
      'What happens without an answer that can be used: `allow` goes on as if there were no hook, `deny` refuses with `unavailable` or `busy`.',
    ),
  HOOK_CONCURRENCY: count(64, 1, 10_000).describe(
    'Requests to the backend under way at a time, by one gateway.',
  ),
  HOOK_QUEUE_MAX: count(1_000, 0, 1_000_000).describe(
    'Requests that may wait for one of those to end; over it `HOOK_FAILURE_POLICY` counts.',
  ),
} satisfies SettingsShape

export interface HooksConfig {
  readonly joinUrl: string | undefined
  readonly sayUrl: string | undefined
  readonly secrets: readonly HookSecret[]
  readonly secretFile: string | undefined
  readonly timeoutMs: number
  readonly failurePolicy: FailurePolicy
  readonly concurrency: number
  readonly queueMax: number
}

/** Undefined when nothing is to be asked. Throws `SettingsError` when the secret is missing, or there twice. */
export function hooksConfig(
  settings: z.output<z.ZodObject<typeof hooksSettings>>,
): HooksConfig | undefined {
  const { HOOK_SECRET: secrets, HOOK_SECRET_FILE: secretFile } = settings
  const [joinUrl] = settings.HOOK_JOIN_URL ?? []
  const [sayUrl] = settings.HOOK_SAY_URL ?? []
  if (secrets !== undefined && secretFile !== undefined) {
    throw new SettingsError(['HOOK_SECRET_FILE: can not be set together with HOOK_SECRET'])
  }
  if (joinUrl === undefined && sayUrl === undefined) return undefined
  if (secrets === undefined && secretFile === undefined) {
    throw new SettingsError(['HOOK_SECRET: is required with HOOK_JOIN_URL or HOOK_SAY_URL'])
  }
  return {
    joinUrl,
    sayUrl,
    secrets: secrets ?? [],
    secretFile,
    timeoutMs: settings.HOOK_TIMEOUT_MS,
    failurePolicy: settings.HOOK_FAILURE_POLICY,
    concurrency: settings.HOOK_CONCURRENCY,
    queueMax: settings.HOOK_QUEUE_MAX,
  }
}
