import { startProcess, until, type TestProcess } from '../../support/processes.ts'
import type { Namespace } from './namespace.ts'
import { runProgram, tryProgram, type Outcome } from './programs.ts'

/** The image that is tried, as `repository:tag`. scripts/e2e-image.sh has put it where the nodes find it. */
export const IMAGE = process.env['E2E_IMAGE'] ?? 'docker.io/library/roomcast:e2e'
const CHART = 'charts/roomcast'
/** How long an installation or an upgrade may take, as Helm writes it. */
const LIMIT = '4m'
/** How long something in the cluster may take to show, in milliseconds. */
const SHOW_MS = 60_000

/** Pods whose log is followed at a time: kubectl wants to know. */
const FOLLOWED_MAX = 20

/** Values as a values file would have them. */
export type Values = Readonly<Record<string, unknown>>
export type Component = 'gateway' | 'broker' | 'presence' | 'valkey'

/** What a test reads of a pod. */
export interface Pod {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly deletionTimestamp?: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: { readonly nodeName?: string }
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly {
      readonly restartCount: number
      readonly state: {
        readonly waiting?: { readonly reason: string; readonly message?: string }
      }
    }[]
  }
}

/** An installation of the chart. */
export interface Release {
  readonly name: string
  /** Upgrades it to these values and waits until it is all ready. With the chart and image of this checkout, whatever it came from. */
  upgrade(values: Values): Promise<void>
  /** `helm test`, whether or not it succeeds. */
  test(): Promise<Outcome>
  uninstall(): Promise<void>
  /** The pods of a component that are not on their way out. */
  pods(component: Component): Promise<readonly Pod[]>
  /** Resolves when a component has so many pods, all ready, and no other is left, not even one that drains. */
  settles(component: Component, replicas: number): Promise<void>
  /** Resolves when a component has logged something that matches. */
  logs(component: Component, pattern: RegExp): Promise<string>
  /** What the pods that a component has now log from now on, until they have ended. */
  follow(component: Component): TestProcess
  /** The name of a Service or Deployment, as the chart makes it. */
  named(component: Component): string
}

/** Requests for nodes on which much else runs. */
export const SMALL: Values = {
  gateway: { resources: { requests: { cpu: '50m', memory: '64Mi' } } },
  broker: { resources: { requests: { cpu: '50m', memory: '64Mi' } } },
  presence: { resources: { requests: { cpu: '50m', memory: '64Mi' } } },
  redis: { embedded: { resources: { requests: { cpu: '50m', memory: '64Mi' } } } },
}

/** One map over another, as Helm lays values files over each other. */
export function over(base: Values, more: Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  const merged = Object.entries(more).map(([key, value]) => {
    const under = base[key]
    return [key, isMap(under) && isMap(value) ? over(under, value) : value] as const
  })
  return { ...base, ...Object.fromEntries(merged) }
}

const imageValues = (image: string): Values => {
  const [, repository, tag] = /^(.+):([^:/]+)$/.exec(image) ?? []
  if (repository === undefined) throw new Error(`the image is ${image}, not repository:tag`)
  return { image: { repository, tag } }
}

/**
 * Installs the chart of this checkout under the name `chat`. Nothing is set but the image, and what is given. With `isAwaited` it resolves
 * when every pod is ready, else when the objects are there. `chart` and `from`, an image, are those of another version.
 */
export async function install(
  namespace: Namespace,
  values: Values = {},
  { isAwaited = true, chart = CHART, from = IMAGE } = {},
): Promise<Release> {
  const name = 'chat'
  const helm = (command: string, args: readonly string[]): readonly string[] => [
    command,
    name,
    ...args,
    '--namespace',
    namespace.name,
  ]
  const apply = async (
    command: string,
    values: Values,
    { isAwaited = true, chart = CHART, from = IMAGE } = {},
  ): Promise<void> => {
    const waiting = isAwaited ? ['--wait', '--timeout', LIMIT] : []
    const args = helm(command, [chart, '--values', '-', ...waiting])
    await runProgram('helm', args, JSON.stringify(over(imageValues(from), values)))
  }
  const selector = (component: Component): string =>
    `app.kubernetes.io/instance=${name},app.kubernetes.io/component=${component}`
  const allPods = (component: Component): Promise<readonly Pod[]> =>
    namespace.list<Pod>('pods', selector(component))

  await apply('install', values, { isAwaited, chart, from })
  return {
    name,
    named: (component) => `${name}-roomcast-${component}`,
    upgrade: (values) => apply('upgrade', values),
    test: () => tryProgram('helm', helm('test', ['--logs', '--timeout', '2m'])),
    async uninstall() {
      await runProgram('helm', helm('uninstall', ['--wait', '--timeout', LIMIT]))
    },
    async pods(component) {
      const pods = await allPods(component)
      return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    },
    settles: (component, replicas) =>
      until(
        `${replicas} pods of ${component}`,
        async () => {
          const pods = await allPods(component)
          return pods.length === replicas && pods.every(isReady) ? true : undefined
        },
        SHOW_MS * 2,
      ).then(() => undefined),
    logs: (component, pattern) =>
      until(
        `${pattern} in the log of ${component}`,
        async () => {
          // While a container waits to be started again, its last words are in the log of the one before.
          const now = ['logs', '--selector', selector(component), '--tail=-1']
          const before = [...now, '--previous']
          const texts = await Promise.all(
            [now, before].map((args) => namespace.kubectl(...args).catch(() => '')),
          )
          return texts.find((text) => pattern.test(text))
        },
        SHOW_MS,
      ),
    follow: (component) =>
      startProcess('kubectl', [
        '--namespace',
        namespace.name,
        'logs',
        '--follow',
        '--selector',
        selector(component),
        '--tail=0',
        `--max-log-requests=${FOLLOWED_MAX}`,
      ]),
  }
}

export const isReady = ({ status }: Pod): boolean =>
  status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
