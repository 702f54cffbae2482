import { readFileSync } from 'node:fs'

/** The text of a Lua script, whose head says what it takes and returns. */
export function readScript(name: string): string {
  return readFileSync(new URL(`../../lua/${name}.lua`, import.meta.url), 'utf8')
}
