import { exec } from 'node:child_process'

/** How long the command may take for one token, in milliseconds: members that come in wait for theirs. */
const COMMAND_LIMIT_MS = 10_000
/** What it may print, in bytes: tokens have a few hundred. */
const PRINTED_MAX_BYTES = 65_536

/**
 * The token that a shell command prints for a user, whose name it has in `$ROOMCAST_USER`. Rejects when it fails, prints nothing but
 * space, prints too much, or takes longer than `limitMs`; what it wrote to its standard error is in the message, what it printed is not.
 */
export function tokenByCommand(
  command: string,
  user: string,
  limitMs = COMMAND_LIMIT_MS,
): Promise<string> {
  const fault = (why: string): Error => new Error(`--token-command, for ${user}: ${why}`)
  return new Promise((resolve, reject) => {
    exec(
      command,
      {
        env: { ...process.env, ROOMCAST_USER: user },
        timeout: limitMs,
        // One that does not heed SIGTERM would be waited for.
        killSignal: 'SIGKILL',
        maxBuffer: PRINTED_MAX_BYTES,
      },
      (error, printed, told) => {
        const token = printed.trim()
        if (error?.killed === true) reject(fault(`no token within ${limitMs / 1_000} s`))
        else if (error !== null)
          reject(fault(`it ended with ${error.code ?? error.signal}. ${told.trim()}`.trim()))
        else if (token === '') reject(fault('it printed nothing'))
        else resolve(token)
      },
    )
  })
}
