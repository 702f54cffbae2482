import { open } from 'node:fs/promises'
import { SecretsFault } from './secrets.ts'
import { SettingsError } from './settings.ts'

/** How often a file of secrets is read again, in milliseconds. */
export const REREAD_INTERVAL_MS = 2_000
/** Bytes that such a file may have. */
const FILE_MAX_BYTES = 1_048_576

/** What a file of secrets says, kept up to date. */
export interface SecretFile<T> {
  current(): T
  close(): void
}

export interface SecretFileFacts {
  changed(): void
  /** It can not be used as it is now; the last good content stays in force. Told once for each fault. */
  failed(fault: string): void
}

/**
 * Reads a file of secrets, and again and again: a change is in force `intervalMs` later at most, without a restart. The whole file is read
 * each time, since nothing less tells of every change: Kubernetes replaces a mounted Secret by moving a link above it, which watches miss
 * and which may leave size and time as they were. Rejects with a `SettingsError` that names the setting when the file is not usable now.
 */
export async function openSecretFile<T>(
  path: string,
  {
    setting,
    parse,
    facts,
    intervalMs = REREAD_INTERVAL_MS,
  }: {
    /** The setting that names the file. */
    readonly setting: string
    /** Throws `SecretsFault`. */
    readonly parse: (text: string) => T
    readonly facts: SecretFileFacts
    readonly intervalMs?: number
  },
): Promise<SecretFile<T>> {
  let text: string
  let current: T
  try {
    text = await readText(path)
    current = parse(text)
  } catch (error) {
    throw new SettingsError([`${setting}: ${faultOf(error)}`])
  }
  let fault: string | undefined
  let isClosed = false
  let timer: NodeJS.Timeout | undefined

  const look = async (): Promise<void> => {
    try {
      const found = await readText(path)
      if (found === text && fault === undefined) return
      const parsed = parse(found)
      fault = undefined
      if (found === text) return
      text = found
      current = parsed
      facts.changed()
    } catch (error) {
      const found = faultOf(error)
      if (found !== fault) facts.failed(found)
      fault = found
    }
  }
  const again = (): void => {
    timer = setTimeout(() => {
      void look().then(() => {
        if (!isClosed) again()
      })
    }, intervalMs)
    timer.unref()
  }
  again()
  return {
    current: () => current,
    close() {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

async function readText(path: string): Promise<string> {
  await using file = await open(path)
  const { size } = await file.stat()
  if (size > FILE_MAX_BYTES) throw new SecretsFault(`must have at most ${FILE_MAX_BYTES} bytes`)
  return file.readFile('utf8')
}

function faultOf(error: unknown): string {
  if (error instanceof SecretsFault) return error.message
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : error
  return `can not be read (${String(code)})`
}
