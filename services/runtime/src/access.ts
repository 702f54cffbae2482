import type { InternalConfig, KeysConfig } from './access-config.ts'
import { createApiKeys, parseKeys, type ApiKeys } from './api-keys.ts'
import { createInternalAccess, parseTokens, type InternalAccess } from './internal-access.ts'
import { openSecretFile, type SecretFileFacts } from './secret-file.ts'

/** What is read from files stays up to date until it is closed. */
interface Closable {
  close(): void
}

/** The services' tokens as the configuration has them. Rejects with `SettingsError` when their file is not usable. */
export async function openInternalAccess(
  { internalTokens, internalTokenFile }: InternalConfig,
  facts: SecretFileFacts,
): Promise<InternalAccess & Closable> {
  if (internalTokenFile === undefined) {
    return { ...createInternalAccess(() => internalTokens), close: () => undefined }
  }
  const file = await openSecretFile(internalTokenFile, {
    setting: 'INTERNAL_TOKEN_FILE',
    parse: parseTokens,
    facts,
  })
  return { ...createInternalAccess(file.current), close: file.close }
}

/** The keys of an HTTP API; undefined: everybody may do all. `current` is up to date at every call. */
export interface KeySource extends Closable {
  current(): ApiKeys | undefined
}

/** The keys as the configuration has them. Rejects with `SettingsError` when their file is not usable. */
export async function openKeys(
  { apiKeys, apiKeysFile }: KeysConfig,
  facts: SecretFileFacts,
): Promise<KeySource> {
  if (apiKeysFile === undefined) {
    const keys = apiKeys.length === 0 ? undefined : createApiKeys(apiKeys)
    return { current: () => keys, close: () => undefined }
  }
  return openSecretFile(apiKeysFile, {
    setting: 'API_KEYS_FILE',
    parse: (text) => createApiKeys(parseKeys(text)),
    facts,
  })
}
