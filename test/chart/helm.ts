import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const CHART = 'charts/roomcast'

/** How long one run of helm may take, in milliseconds. */
const LIMIT_MS = 20_000
/** What helm may print, in bytes. */
const OUTPUT_MAX_BYTES = 16 * 1_048_576

export interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

/** Values as a values file would have them. */
export type Values = Readonly<Record<string, unknown>>

export interface Helm {
  readonly name: string
  /** The resources that an installation under the name `chat` would make. */
  render(values?: Values, options?: { readonly kubeVersion?: string }): Promise<Resource[]>
  /** What helm says when it refuses the values. Throws when it takes them. */
  refusal(values: Values): Promise<string>
  run(...args: readonly string[]): Promise<string>
}

interface Output {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program in the root of the repository, for as long as it may take. */
export async function run(
  program: string,
  args: readonly string[],
  input?: string,
  limitMs = LIMIT_MS,
): Promise<Output> {
  const running = promisify(execFile)(program, args, {
    cwd: ROOT,
    timeout: limitMs,
    maxBuffer: OUTPUT_MAX_BYTES,
  })
  running.child.stdin?.end(input)
  return running
}

async function isThere(program: string): Promise<boolean> {
  try {
    await run(program, ['version', '--short'])
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Every Helm on the path: `helm`, and `helm3` where somebody has that too. */
export async function findHelms(): Promise<readonly Helm[]> {
  if (!(await isThere('helm'))) throw new Error('the tests of the chart need helm on the path')
  return (await isThere('helm3')) ? [helm('helm'), helm('helm3')] : [helm('helm')]
}

function helm(program: string): Helm {
  const template = async (values: Values, kubeVersion: string): Promise<string> => {
    const args = ['template', 'chat', CHART, '--namespace', 'rooms']
    const { stdout } = await run(
      program,
      [...args, '--kube-version', kubeVersion, '--values', '-'],
      JSON.stringify(values),
    )
    return stdout
  }
  return {
    name: program,
    render: async (values = {}, { kubeVersion = '1.34.0' } = {}) =>
      parseAllDocuments(await template(values, kubeVersion)).flatMap((document) => {
        const [error] = document.errors
        if (error !== undefined) throw error
        const resource = document.toJS() as Resource | null
        return resource === null ? [] : [resource]
      }),
    refusal: async (values) => {
      try {
        await template(values, '1.34.0')
      } catch (error) {
        const { stderr } = error as Partial<Output>
        if (stderr === undefined) throw error
        return stderr
      }
      throw new Error(`helm takes ${JSON.stringify(values)}`)
    },
    run: async (...args) => (await run(program, args)).stdout,
  }
}

/** The one resource of a kind and name; the name without the release's. */
export function find(resources: readonly Resource[], kind: string, name: string): Resource {
  const wanted = name === '' ? 'chat-roomcast' : `chat-roomcast-${name}`
  const found = resources.filter((r) => r.kind === kind && r.metadata.name === wanted)
  const [only] = found
  if (only === undefined || found.length > 1) {
    throw new Error(`${found.length} resources are a ${kind} called ${wanted}`)
  }
  return only
}

/** What is at a path such as `spec.template.spec.containers.0.image`. */
export function at(resource: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, key) => (value as Record<string, unknown> | undefined)?.[key],
      resource,
    )
}

interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } }
}

/** The environment of a Deployment's container, by name. */
export function envOf(resources: readonly Resource[], component: string): Map<string, EnvVar> {
  const deployment = find(resources, 'Deployment', component)
  const env = at(deployment, 'spec.template.spec.containers.0.env') as readonly EnvVar[]
  return new Map(env.map((variable) => [variable.name, variable]))
}

export const kinds = (resources: readonly Resource[]): string[] =>
  resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()

export const COMPONENTS = ['gateway', 'broker', 'presence'] as const
