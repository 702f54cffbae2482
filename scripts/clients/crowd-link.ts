import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Crowd } from './crowd.ts'
import type { Answer, Call } from './crowd-process.ts'

type Async<F> = F extends (...args: infer A) => infer R
  ? (...args: A) => Promise<Awaited<R>>
  : never

/** A crowd in another process. */
export type CrowdLink = { readonly [K in Exclude<keyof Crowd, 'close'>]: Async<Crowd[K]> } & {
  readonly pid: number
} & AsyncDisposable

/** Starts a process for a crowd; disposing of it closes its connections and ends it. */
export function startCrowd(): CrowdLink {
  const child = fork(fileURLToPath(new URL('crowd-process.ts', import.meta.url)), {
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  let calls = 0
  const exit = once(child, 'exit').then(() => {
    for (const [id, settle] of waiting) settle({ id, error: 'a process of clients ended' })
  })
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
  })
  const call =
    (name: keyof Crowd) =>
    (...args: readonly unknown[]): Promise<never> =>
      new Promise((resolve, reject) => {
        const id = ++calls
        waiting.set(id, ({ error, value }) => {
          if (error === undefined) resolve(value as never)
          else reject(new Error(`while clients ${name}: ${error}`))
        })
        child.send({ id, name, args } satisfies Call)
      })
  return {
    pid: child.pid ?? 0,
    join: call('join'),
    talk: call('talk'),
    hush: call('hush'),
    mark: call('mark'),
    account: call('account'),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect()
      // Nothing of it is needed any more, however much it still has to read.
      child.kill('SIGKILL')
      await exit
    },
  }
}
