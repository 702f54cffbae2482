import { fork } from 'node:child_process'
import { once } from 'node:events'

interface Call {
  readonly id: number
  readonly name: string
  readonly args: readonly unknown[]
}
interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>
type Async<F> = F extends (...args: infer A) => infer R
  ? (...args: A) => Promise<Awaited<R>>
  : never

/** Functions of another process. What they take and return passes as JSON. */
export type Remote<T> = { readonly [K in keyof T]: Async<T[K]> } & {
  readonly pid: number
} & AsyncDisposable

/** Offers functions to the process that started this one. `end` is called when it is gone. */
export function offer(methods: object, end: () => void): void {
  const answer = async ({ id, name, args }: Call): Promise<void> => {
    let reply: Answer
    try {
      const method = (methods as Methods)[name] as ((...args: unknown[]) => unknown) | undefined
      reply = { id, value: await method?.(...args) }
    } catch (error) {
      reply = { id, error: error instanceof Error ? error.message : String(error) }
    }
    // The other side may have gone in the meantime.
    if (process.connected) process.send?.(reply)
  }
  process.on('message', (call: Call) => void answer(call))
  process.on('disconnect', end)
}

/** Starts a program that offers functions of these names. Disposing of it kills it: its connections break. */
export function startRemote<T>(file: string, names: readonly (keyof T & string)[]): Remote<T> {
  const child = fork(file, {
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  let calls = 0
  let isOver = false
  const exit = once(child, 'exit').then(() => {
    isOver = true
    for (const [id, settle] of waiting) settle({ id, error: 'the process ended' })
    waiting.clear()
  })
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  const call =
    (name: string) =>
    (...args: readonly unknown[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        if (isOver) {
          reject(new Error(`${name}: the process has ended`))
          return
        }
        const id = ++calls
        waiting.set(id, ({ error, value }) => {
          if (error === undefined) resolve(value)
          else reject(new Error(`${name}: ${error}`))
        })
        child.send({ id, name, args } satisfies Call)
      })
  const methods = Object.fromEntries(names.map((name) => [name, call(name)]))
  return {
    ...(methods as { readonly [K in keyof T]: Async<T[K]> }),
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      if (!isOver) child.kill('SIGKILL')
      await exit
    },
  }
}
