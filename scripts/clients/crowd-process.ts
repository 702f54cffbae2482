/** A crowd in a process of its own: the parent calls its functions over the IPC channel, and the process ends when that closes. */
import { createCrowd, type Crowd } from './crowd.ts'

export interface Call {
  readonly id: number
  readonly name: keyof Crowd
  readonly args: readonly unknown[]
}
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

const crowd = createCrowd()

process.on('message', (call: Call) => void answer(call))
process.on('disconnect', () => crowd.close())

async function answer({ id, name, args }: Call): Promise<void> {
  const method = crowd[name] as (...args: readonly unknown[]) => unknown
  try {
    process.send?.({ id, value: await method(...args) } satisfies Answer)
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? error.message : String(error) })
  }
}
