import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { listen } from '@roomcast/runtime'
import { repeat } from '../repeat.ts'
import { isFrontProxy, type FrontProxy } from './front-proxy.ts'

export const GROUP = 'external.metrics.k8s.io'
export const VERSION = 'v1beta1'
/** Names of the metrics that are served. */
export const METRICS = ['roomcast_connections', 'roomcast_gateways'] as const
export type MetricName = (typeof METRICS)[number]

/** How often certificates and the CA are read again, in milliseconds: both are renewed while a process runs. */
const RELOAD_MS = 300_000
/** The same until they were read for the first time. */
const FIRST_RELOAD_MS = 5_000
/** How long a request may take to arrive, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000

export interface ExternalMetricsOptions {
  readonly host: string
  readonly port: number
  /** PEM; both are read again now and then. */
  readonly certFile: string
  readonly keyFile: string
  /** The one namespace for which metrics are served. */
  readonly namespace: string
  readonly frontProxy: () => Promise<FrontProxy>
  /** Undefined while not every gateway had the time to report: then there is no value, and an autoscaler leaves things as they are. */
  readonly values: () => Readonly<Record<MetricName, number>> | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/**
 * Serves `external.metrics.k8s.io`, for a HorizontalPodAutoscaler without any adapter. The API server alone may ask: it shows a client
 * certificate of the front proxy's CA, and has checked by then who asks and whether he may. Selectors are refused: there is nothing to select.
 * Rejects when the certificate can not be read at the start; until the CA is known everybody is refused.
 */
export async function serveExternalMetrics(
  options: ExternalMetricsOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { host, certFile, keyFile, onFailure } = options
  let frontProxy: FrontProxy | undefined
  const readPair = async () => ({
    cert: await readFile(certFile, 'utf8'),
    key: await readFile(keyFile, 'utf8'),
  })
  const server: Server = createServer(
    {
      ...(await readPair()),
      requestCert: true,
      // Refused with an answer instead, so that the other side's log says why.
      rejectUnauthorized: false,
      requestTimeout: REQUEST_TIMEOUT_MS,
      minVersion: 'TLSv1.2',
    },
    (req, res) => {
      const isAllowed =
        frontProxy !== undefined && isFrontProxy(frontProxy, req.socket as TLSSocket)
      const [status, body] = isAllowed
        ? answer(req, options)
        : failure(401, 'Unauthorized', 'the API server alone may ask')
      respond(res, status, body)
    },
  )
  server.on('tlsClientError', () => undefined)
  const reload = async (): Promise<void> => {
    const [pair, found] = [await readPair(), await options.frontProxy()]
    const isNew = frontProxy?.ca !== found.ca
    server.setSecureContext({ ...pair, ca: found.ca, minVersion: 'TLSv1.2' })
    frontProxy = found
    // A connection keeps what was checked when it was made.
    if (isNew) server.closeAllConnections()
  }
  const port = await listen(server, host, options.port)
  const reloads = repeat(
    () => (frontProxy === undefined ? FIRST_RELOAD_MS : RELOAD_MS),
    reload,
    onFailure,
  )
  return {
    port,
    close: async () => {
      await reloads.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

type Answer = readonly [status: number, body: unknown]

function answer(req: IncomingMessage, { namespace, values, now }: ExternalMetricsOptions): Answer {
  if (req.method !== 'GET') return failure(405, 'MethodNotAllowed', 'only GET is served here')
  const { pathname, searchParams } = new URL(req.url ?? '/', 'https://here')
  const path = pathname.replace(/\/$/, '')
  if (path === '/apis') return [200, { kind: 'APIGroupList', apiVersion: 'v1', groups: [group] }]
  if (path === `/apis/${GROUP}`) return [200, { kind: 'APIGroup', apiVersion: 'v1', ...group }]
  if (path === `/apis/${GROUP}/${VERSION}`) return [200, resources]
  const [, wanted, metric] =
    new RegExp(`^/apis/${GROUP}/${VERSION}/namespaces/([^/]+)/([^/]+)$`).exec(path) ?? []
  const name = METRICS.find((name) => name === metric)
  if (wanted !== namespace || name === undefined)
    return failure(404, 'NotFound', `no such metric; in ${namespace} there are ${METRICS.join()}`)
  if ((searchParams.get('labelSelector') ?? '') !== '')
    return failure(400, 'BadRequest', 'the metrics have no labels to select by')
  const known = values()
  if (known === undefined)
    return failure(503, 'ServiceUnavailable', 'this replica has not heard every gateway yet')
  return [
    200,
    {
      kind: 'ExternalMetricValueList',
      apiVersion: `${GROUP}/${VERSION}`,
      metadata: {},
      items: [
        {
          metricName: name,
          metricLabels: {},
          timestamp: new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z'),
          value: String(known[name]),
        },
      ],
    },
  ]
}

const version = { groupVersion: `${GROUP}/${VERSION}`, version: VERSION }
const group = { name: GROUP, versions: [version], preferredVersion: version }
const resources = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: version.groupVersion,
  resources: METRICS.map((name) => ({
    name,
    singularName: '',
    namespaced: true,
    kind: 'ExternalMetricValueList',
    verbs: ['get'],
  })),
}

/** As the API server itself says that something failed. */
function failure(code: number, reason: string, message: string): Answer {
  return [
    code,
    { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code },
  ]
}

function respond(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
