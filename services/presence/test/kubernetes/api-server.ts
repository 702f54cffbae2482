import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { serverCa, serverCert, serverKey } from './certificates.ts'

interface Meta {
  name: string
  uid?: string
  resourceVersion?: string
  creationTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}
export interface StoredObject {
  metadata: Meta
  [field: string]: unknown
}
interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: StoredObject
  version: number
}
interface Watcher {
  res: ServerResponse
  selector: string | null
}

export const NAMESPACE = 'chat'
const POD_LABELS = { app: 'gateway' }

/**
 * As much of a Kubernetes API server as presence uses, over HTTPS, by the API's own rules: one growing resourceVersion, watches from a
 * version, 410 for versions that are forgotten, writes on condition of a version.
 */
export class ApiServer implements AsyncDisposable {
  readonly pods = new Map<string, StoredObject>()
  readonly leases = new Map<string, StoredObject>()
  readonly configMaps = new Map<string, Record<string, string>>()
  /** Every request, as `GET /path`. */
  readonly requests: string[] = []
  /** Answers every request with this instead. */
  refusal: number | undefined
  /** Keeps watches open and tells them nothing. */
  isMute = false
  readonly #events: WatchEvent[] = []
  readonly #watchers = new Set<Watcher>()
  #version = 1
  /** Versions before this one are forgotten. */
  #oldest = 0
  #server: Server | undefined
  #port = 0
  #folder: string | undefined

  async start(): Promise<void> {
    this.#server = createServer(
      { cert: serverCert, key: serverKey },
      (req, res) => void this.#handle(req, res),
    )
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  /** Ends as by a kill: connections break. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }

  /** A kubeconfig for this server. */
  async kubeconfig(): Promise<string> {
    this.#folder ??= await mkdtemp(path.join(tmpdir(), 'roomcast-kubeconfig-'))
    const file = path.join(this.#folder, 'config')
    const cluster = {
      server: `https://127.0.0.1:${this.#port}`,
      'certificate-authority-data': Buffer.from(serverCa).toString('base64'),
    }
    const config = {
      'current-context': 'it',
      clusters: [{ name: 'it', cluster }],
      users: [{ name: 'it', user: { token: 'of-a-test' } }],
      contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
    }
    // JSON is YAML.
    await writeFile(file, JSON.stringify(config))
    return file
  }

  putPod(name: string, more: Record<string, unknown> = {}, labels = POD_LABELS): void {
    const known = this.pods.get(name)
    const metadata = known?.metadata ?? {
      name,
      uid: `uid-${name}`,
      creationTimestamp: new Date().toISOString(),
      labels,
    }
    const pod = { status: { phase: 'Running', podIP: '10.0.0.1' }, ...known, ...more, metadata }
    this.#write(this.pods, pod, known === undefined ? 'ADDED' : 'MODIFIED')
  }

  deletePod(name: string): void {
    const known = this.pods.get(name)
    if (known === undefined) return
    this.pods.delete(name)
    this.#tell('DELETED', { ...known, metadata: this.#stamped(known.metadata) })
  }

  costOf(pod: string): string | undefined {
    return this.pods.get(pod)?.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost']
  }

  /** Forgets what happened so far, as compaction does. */
  compact(): void {
    this.#oldest = this.#version
    this.#events.length = 0
  }

  /** Ends every watch in order, as the server does now and then. */
  endWatches(): void {
    for (const { res } of this.#watchers) res.end()
    this.#watchers.clear()
  }

  get watches(): number {
    return this.#watchers.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true })
  }

  #stamped(metadata: Meta): Meta {
    return { ...metadata, resourceVersion: String(++this.#version) }
  }

  #write(
    into: Map<string, StoredObject>,
    object: StoredObject,
    type: WatchEvent['type'],
  ): StoredObject {
    const stored = { ...object, metadata: this.#stamped(object.metadata) }
    into.set(stored.metadata.name, stored)
    if (into === this.pods) this.#tell(type, stored)
    return stored
  }

  #tell(type: WatchEvent['type'], object: StoredObject): void {
    const event = { type, object, version: this.#version }
    this.#events.push(event)
    if (!this.isMute) for (const watcher of this.#watchers) send(watcher, event)
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://here')
    const { pathname, searchParams } = url
    this.requests.push(`${req.method} ${pathname}${searchParams.has('watch') ? ' watch' : ''}`)
    if (this.refusal !== undefined) {
      fail(res, this.refusal)
      return
    }
    const [, group, kind = '', name] =
      new RegExp(
        `^/(api/v1|apis/coordination.k8s.io/v1)/namespaces/[^/]+/([^/]+)(?:/([^/]+))?$`,
      ).exec(pathname) ?? []
    const body = (): Promise<StoredObject> =>
      text(req).then((json) => JSON.parse(json) as StoredObject)
    const selector = searchParams.get('labelSelector')
    if (group === 'api/v1' && kind === 'pods') {
      if (name !== undefined) this.#patch(res, name, await body(), req.headers['content-type'])
      else if (searchParams.has('watch'))
        this.#watch(res, selector, Number(searchParams.get('resourceVersion')))
      else {
        const items = [...this.pods.values()].filter((pod) => isSelected(pod, selector))
        const metadata = { resourceVersion: String(this.#version) }
        reply(res, 200, { kind: 'PodList', apiVersion: 'v1', metadata, items })
      }
    } else if (kind === 'configmaps' && name !== undefined) {
      const data = this.configMaps.get(name)
      if (data === undefined) fail(res, 404)
      else reply(res, 200, { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name }, data })
    } else if (kind === 'leases') {
      await this.#lease(req, res, name, body)
    } else {
      fail(res, 404)
    }
  }

  #patch(res: ServerResponse, name: string, patch: StoredObject, type: string | undefined): void {
    const pod = this.pods.get(name)
    if (type !== 'application/merge-patch+json') {
      fail(res, 415)
    } else if (pod === undefined) {
      fail(res, 404)
    } else {
      const annotations = { ...pod.metadata.annotations, ...patch.metadata.annotations }
      const metadata = { ...pod.metadata, annotations }
      reply(res, 200, this.#write(this.pods, { ...pod, metadata }, 'MODIFIED'))
    }
  }

  #watch(res: ServerResponse, selector: string | null, version: number): void {
    res.writeHead(200, { 'content-type': 'application/json' })
    res.flushHeaders()
    const watcher = { res, selector }
    if (version < this.#oldest) {
      const object = { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410 }
      res.end(`${JSON.stringify({ type: 'ERROR', object })}\n`)
      return
    }
    for (const event of this.#events) if (event.version > version) send(watcher, event)
    this.#watchers.add(watcher)
    res.on('close', () => this.#watchers.delete(watcher))
  }

  async #lease(
    req: IncomingMessage,
    res: ServerResponse,
    name: string | undefined,
    body: () => Promise<StoredObject>,
  ): Promise<void> {
    const known = this.leases.get(name ?? '')
    if (req.method === 'POST') {
      const lease = await body()
      if (this.leases.has(lease.metadata.name)) fail(res, 409)
      else reply(res, 201, this.#write(this.leases, lease, 'ADDED'))
    } else if (req.method === 'PUT') {
      const lease = await body()
      const current = this.leases.get(name ?? '')
      if (current === undefined) fail(res, 404)
      else if (lease.metadata.resourceVersion !== current.metadata.resourceVersion) fail(res, 409)
      else reply(res, 200, this.#write(this.leases, lease, 'MODIFIED'))
    } else if (known === undefined) {
      fail(res, 404)
    } else {
      reply(res, 200, known)
    }
  }
}

function send({ res, selector }: Watcher, { type, object }: WatchEvent): void {
  if (isSelected(object, selector)) res.write(`${JSON.stringify({ type, object })}\n`)
}

function isSelected({ metadata }: StoredObject, selector: string | null): boolean {
  return (selector ?? '')
    .split(',')
    .filter((part) => part !== '')
    .every((part) => {
      const [label = '', value] = part.split('=')
      return metadata.labels?.[label] === value
    })
}

function reply(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function fail(res: ServerResponse, code: number): void {
  reply(res, code, {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: 'this is refused',
    code,
  })
}
