import { z } from 'zod'
import { parseKeys, type KeyEntry } from './api-keys.ts'
import { parseTokens } from './internal-access.ts'
import { SecretsFault } from './secrets.ts'
import { flag, secretString, SettingsError, type SettingsShape } from './settings.ts'

/** A setting whose value is secrets, read by a function that throws `SecretsFault`. */
export function secretsBy<T>(parse: (text: string) => T) {
  return secretString().transform((text, ctx): T => {
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof SecretsFault)) throw error
      ctx.addIssue({ code: 'custom', message: error.message })
      return z.NEVER
    }
  })
}

/** By what the services know each other: settings of all of them. */
export const internalSettings = {
  INTERNAL_TOKEN: secretsBy(parseTokens)
    .optional()
    .describe(
      'What the services present to each other. Without it internal endpoints answer loopback callers alone.',
    ),
  INTERNAL_TOKEN_FILE: z
    .string()
    .optional()
    .describe(
      'A file with such tokens, one a line, instead of `INTERNAL_TOKEN`: the first is presented, all are accepted. It is read again every 2 s, so that a token is replaced without a restart.',
    ),
} satisfies SettingsShape

/** Who may use an HTTP API. `guarded` says what takes a key, in words for the documentation. */
export function keySettings({
  guarded,
  read,
}: {
  readonly guarded: string
  readonly read: string
}) {
  return {
    API_KEYS: secretsBy(parseKeys)
      .optional()
      .describe(
        `Keys that callers present as \`Authorization: Bearer\`, to ${guarded}: separated by commas, or a JSON list with scopes (docs/operations.md). Without keys everybody may.`,
      ),
    API_KEYS_FILE: z
      .string()
      .optional()
      .describe(
        'A file with the same, instead of `API_KEYS`. It is read again every 2 s, so that keys are replaced without a restart.',
      ),
    READ_REQUIRES_KEY: flag(false).describe(`Whether a key is needed as well to ${read}.`),
  } satisfies SettingsShape
}

/** Where the tokens of the services are: given, or in a file. */
export interface InternalConfig {
  readonly internalTokens: readonly string[]
  readonly internalTokenFile: string | undefined
}

/** Where the keys of an HTTP API are. */
export interface KeysConfig {
  /** Empty, and no file: everybody may do all. */
  readonly apiKeys: readonly KeyEntry[]
  readonly apiKeysFile: string | undefined
  readonly readRequiresKey: boolean
}

/** Throws `SettingsError` when the token is given twice. */
export function internalConfigOf(settings: {
  readonly INTERNAL_TOKEN?: readonly string[] | undefined
  readonly INTERNAL_TOKEN_FILE?: string | undefined
}): InternalConfig {
  const { INTERNAL_TOKEN: tokens, INTERNAL_TOKEN_FILE: file } = settings
  if (tokens !== undefined && file !== undefined) {
    throw new SettingsError(['INTERNAL_TOKEN_FILE: can not be set together with INTERNAL_TOKEN'])
  }
  return { internalTokens: tokens ?? [], internalTokenFile: file }
}

/** Throws `SettingsError` when the keys are given twice, or needed and not given. */
export function keysConfigOf(settings: {
  readonly API_KEYS?: readonly KeyEntry[] | undefined
  readonly API_KEYS_FILE?: string | undefined
  readonly READ_REQUIRES_KEY: boolean
}): KeysConfig {
  const { API_KEYS: keys, API_KEYS_FILE: file, READ_REQUIRES_KEY: readRequiresKey } = settings
  if (keys !== undefined && file !== undefined) {
    throw new SettingsError(['API_KEYS_FILE: can not be set together with API_KEYS'])
  }
  if (readRequiresKey && keys === undefined && file === undefined) {
    throw new SettingsError(['READ_REQUIRES_KEY: needs API_KEYS or API_KEYS_FILE'])
  }
  return { apiKeys: keys ?? [], apiKeysFile: file, readRequiresKey }
}
