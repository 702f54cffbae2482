import type { Namespace } from './namespace.ts'
import { IMAGE, type Pod } from './release.ts'

/** Kills processes of pods from outside of them: within a pod, process 1 does not even feel SIGKILL. */
export interface Reaper {
  /** kill -9 of every process of these pods, all at once. Resolves when the signals are sent. */
  kill(...pods: readonly Pod[]): Promise<void>
  /** Makes ready for the node of this pod, so that a kill takes effect at once. */
  prepare(pod: Pod): Promise<void>
}

/** Works by pods that see the processes of their node, one for each node; the namespace has to allow such. They go with it. */
export function reaperIn(namespace: Namespace): Reaper {
  const started = new Map<string, Promise<string>>()
  const startOn = async (node: string): Promise<string> => {
    const name = `reaper-${started.size}`
    const container = {
      name,
      image: IMAGE,
      imagePullPolicy: 'IfNotPresent',
      command: ['sleep', 'infinity'],
      securityContext: { runAsUser: 0 },
    }
    const spec = {
      nodeName: node,
      hostPID: true,
      terminationGracePeriodSeconds: 0,
      containers: [container],
    }
    const overrides = JSON.stringify({ apiVersion: 'v1', spec })
    await namespace.kubectl('run', name, `--image=${IMAGE}`, `--overrides=${overrides}`)
    await namespace.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s')
    return name
  }
  const on = (node: string): Promise<string> => {
    const reaper = started.get(node) ?? startOn(node)
    started.set(node, reaper)
    return reaper
  }
  const killOn = async (node: string, pods: readonly Pod[]): Promise<void> => {
    const reaper = await on(node)
    // In the names of cgroups systemd writes the dashes of an id as underscores.
    const ids = pods.flatMap(({ metadata: { uid } }) => [uid, uid.replaceAll('-', '_')])
    const script = [
      'found=',
      'for p in /proc/[0-9]*; do',
      `  grep -qsE '${ids.join('|')}' "$p/cgroup" || continue`,
      // The process that holds the pod's network is the kubelet's.
      '  [ "$(cat "$p/comm" 2>/dev/null)" = pause ] || found="$found ${p#/proc/}"',
      'done',
      '[ -n "$found" ] || { echo "no process of these pods is on this node" >&2; exit 1; }',
      'kill -9 $found',
    ].join('\n')
    await namespace.kubectl('exec', reaper, '--', 'sh', '-c', script)
  }
  return {
    async prepare({ spec }) {
      await on(spec.nodeName ?? '')
    },
    async kill(...pods) {
      const byNode = Map.groupBy(pods, ({ spec }) => spec.nodeName ?? '')
      await Promise.all([...byNode].map(([node, pods]) => killOn(node, pods)))
    },
  }
}
