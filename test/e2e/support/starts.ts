import { startProcess } from '../../support/processes.ts'
import type { Namespace } from './namespace.ts'
import type { Component } from './release.ts'

/** Watches how long pods take from the start of their container until they are ready. */
export interface Starts extends AsyncDisposable {
  /**
   * What each pod of a component that has become ready took at most, in milliseconds: Kubernetes tells the start of a container in whole
   * seconds, so that up to one is too much. The clocks of this machine and of the node have to agree.
   */
  of(component: Component): readonly number[]
}

/** Not a tab: kubectl would make columns of it. */
const SEPARATOR = '|'
const LINE = [
  '{.metadata.labels.app\\.kubernetes\\.io/component}',
  '{.metadata.name}',
  '{.status.containerStatuses[*].state.running.startedAt}',
  '{.status.conditions[?(@.type=="Ready")].status}',
].join(SEPARATOR)

export function watchStarts(namespace: Namespace): Starts {
  const watch = startProcess('kubectl', [
    '--namespace',
    namespace.name,
    'get',
    'pods',
    '--watch',
    '--output',
    `jsonpath=${LINE}{"\\n"}`,
  ])
  const took = new Map<string, { readonly component: string; readonly ms: number }>()
  let rest = ''
  watch.child.stdout?.on('data', (chunk: Buffer) => {
    const now = Date.now()
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [component = '', pod = '', startedAt = '', ready] = line.split(SEPARATOR)
      if (ready !== 'True' || startedAt === '' || took.has(pod)) continue
      took.set(pod, { component, ms: now - Date.parse(startedAt) })
    }
  })
  return {
    of: (component) =>
      [...took.values()].flatMap((start) => (start.component === component ? [start.ms] : [])),
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  }
}
