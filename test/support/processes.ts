import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** A process that a test started, with what it printed. */
export interface TestProcess extends AsyncDisposable {
  readonly child: ChildProcess
  /** Everything it printed so far, both streams. */
  output(): string
  /** Resolves when the output matches; rejects when the process ends first or the time is over. */
  printed(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
  /** Resolves with the status, or the signal's name, when the process has ended. */
  ended(timeoutMs?: number): Promise<number | NodeJS.Signals>
  signal(signal: NodeJS.Signals): void
}

/** How long a test waits for something that should happen at once. */
export const PATIENCE_MS = 15_000

/** Starts a program; disposing of it kills it. */
export function startProcess(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): TestProcess {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  const watchers = new Set<() => void>()
  const exit = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  exit.catch(() => undefined)
  let isOver = false
  void exit.then(
    () => {
      isOver = true
      for (const watch of watchers) watch()
    },
    () => undefined,
  )
  const note = (chunk: Buffer): void => {
    text += chunk.toString()
    for (const watch of watchers) watch()
  }
  child.stdout.on('data', note)
  child.stderr.on('data', note)

  const ended = async (timeoutMs = PATIENCE_MS): Promise<number | NodeJS.Signals> => {
    const [status, signal] = await within(timeoutMs, `the end of ${command}`, exit)
    return status ?? signal ?? -1
  }
  return {
    child,
    output: () => text,
    printed(pattern, timeoutMs = PATIENCE_MS) {
      const found = new Promise<RegExpExecArray>((resolve, reject) => {
        const watch = (): void => {
          const match = pattern.exec(text)
          if (match !== null) resolve(match)
          else if (isOver)
            reject(new Error(`${command} ended without printing ${pattern}:\n${text}`))
          else return
          watchers.delete(watch)
        }
        watchers.add(watch)
        watch()
      })
      return within(timeoutMs, `${command} to print ${pattern}; it printed:\n${text}`, found)
    },
    ended,
    signal: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      if (!isOver) child.kill('SIGKILL')
      await exit.catch(() => undefined)
    },
  }
}

/** The promise's value, or an error that says what was waited for. */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no sign of ${what} within ${timeoutMs} ms`)),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when the condition holds, which is tried at each turn of a short timer; rejects when the time is over. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error(`no sign of ${what} within ${timeoutMs} ms`)
    await new Promise((resolve) => {
      setTimeout(resolve, 10)
    })
  }
}
