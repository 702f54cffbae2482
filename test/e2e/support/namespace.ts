import { randomBytes } from 'node:crypto'
import { startProcess } from '../../support/processes.ts'
import { runProgram } from './programs.ts'

/** How long the objects of a namespace may take to go, pods that drain included. In milliseconds. */
export const GONE_MS = 120_000

/** A namespace of the cluster that KUBECONFIG names, for one suite. Disposing of it deletes it with all that is in it. */
export interface Namespace extends AsyncDisposable {
  readonly name: string
  /** Runs kubectl in it. */
  kubectl(...args: readonly string[]): Promise<string>
  /** The objects of a kind, by label. */
  list<T>(kind: string, selector?: string): Promise<readonly T[]>
  /** A way from this machine to a port of a Service or a pod, such as `service/chat-roomcast-gateway`. */
  forward(target: string, port: number): Promise<Forward>
  /** Every object that is in it, but for events. */
  contents(): Promise<readonly string[]>
}

export interface Forward extends AsyncDisposable {
  readonly url: string
}

export async function createNamespace(): Promise<Namespace> {
  const name = `roomcast-e2e-${randomBytes(3).toString('hex')}`
  await runProgram('kubectl', ['create', 'namespace', name])
  const kubectl = (...args: readonly string[]): Promise<string> =>
    runProgram('kubectl', ['--namespace', name, ...args])
  return {
    name,
    kubectl,
    async list<T>(kind: string, selector = '') {
      const json = await kubectl('get', kind, '--selector', selector, '--output', 'json')
      return (JSON.parse(json) as { items: T[] }).items
    },
    async forward(target, port) {
      const args = ['--namespace', name, 'port-forward', target, `:${port}`]
      const forward = startProcess('kubectl', args)
      const [, local] = await forward.printed(/Forwarding from 127\.0\.0\.1:(\d+)/)
      return {
        url: `http://127.0.0.1:${local}`,
        [Symbol.asyncDispose]: () => forward[Symbol.asyncDispose](),
      }
    },
    async contents() {
      const types = await runProgram('kubectl', [
        'api-resources',
        '--namespaced',
        '--verbs=list,delete',
        '--output',
        'name',
      ])
      const kinds = types
        .trim()
        .split('\n')
        .filter((type) => !/^events\b/.test(type))
      const names = await kubectl('get', kinds.join(','), '--ignore-not-found', '--output', 'name')
      return names.trim().split('\n').filter(Boolean).sort()
    },
    async [Symbol.asyncDispose]() {
      const limit = `--timeout=${GONE_MS / 1_000}s`
      await runProgram('kubectl', ['delete', 'namespace', name, '--wait', limit])
    },
  }
}

/** Objects outside of namespaces that belong to a release in this one. */
export async function clusterWide({ name }: Namespace): Promise<readonly string[]> {
  const types = await runProgram('kubectl', [
    'api-resources',
    '--namespaced=false',
    '--verbs=list,delete',
    '--output',
    'name',
  ])
  const annotation = String.raw`.metadata.annotations.meta\.helm\.sh/release-namespace`
  const line = `{range .items[*]}{.kind}/{.metadata.name}{"\\t"}{${annotation}}{"\\n"}{end}`
  const all = await runProgram('kubectl', [
    'get',
    types.trim().split('\n').join(','),
    '--output',
    `jsonpath=${line}`,
  ])
  return all.split('\n').flatMap((line) => {
    const [object = '', owner] = line.split('\t')
    return owner === name ? [object] : []
  })
}
