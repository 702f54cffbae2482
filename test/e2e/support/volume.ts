import { IMAGE } from './release.ts'
import type { Namespace } from './namespace.ts'
import { runProgram } from './programs.ts'

/** Where volumes are on the node, when nobody else provides them. */
const FOLDER = '/var/lib/roomcast-e2e'

/**
 * A volume for a claim of this namespace: nothing where the cluster has a default storage class; else a folder of the node, for clusters of
 * one node, which is emptied in the end.
 */
export async function volumeFor(
  namespace: Namespace,
  claim: string,
): Promise<AsyncDisposable | undefined> {
  const classes = await runProgram('kubectl', ['get', 'storageclass', '--output', 'json'])
  if (classes.includes('"storageclass.kubernetes.io/is-default-class": "true"')) return undefined
  const name = `${namespace.name}-${claim}`
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: '64Mi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { namespace: namespace.name, name: claim },
      hostPath: { path: `${FOLDER}/${name}`, type: 'DirectoryOrCreate' },
    },
  }
  // The kubelet makes the folder for root alone.
  await onFolder(namespace.name, `mkdir /host/${name} && chmod 777 /host/${name}`)
  await runProgram('kubectl', ['create', '--filename', '-'], JSON.stringify(volume))
  return {
    async [Symbol.asyncDispose]() {
      await runProgram('kubectl', ['delete', `persistentvolume/${name}`])
      // Its namespace is gone by now.
      await onFolder('default', `rm -r /host/${name}`)
    },
  }
}

/** Runs a line of shell in a pod that has the folder as /host. */
async function onFolder(namespace: string, line: string): Promise<void> {
  const name = 'roomcast-e2e-volume'
  const spec = {
    containers: [
      {
        name,
        image: IMAGE,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', line],
        securityContext: { runAsUser: 0 },
        volumeMounts: [{ name: 'host', mountPath: '/host' }],
      },
    ],
    volumes: [{ name: 'host', hostPath: { path: FOLDER, type: 'DirectoryOrCreate' } }],
  }
  await runProgram('kubectl', [
    '--namespace',
    namespace,
    'run',
    name,
    `--image=${IMAGE}`,
    '--restart=Never',
    '--rm',
    '--attach',
    '--quiet',
    `--overrides=${JSON.stringify({ apiVersion: 'v1', spec })}`,
  ])
}
