import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { json } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import { Closer } from '@roomcast/runtime'
import { connectKubernetes } from '../../src/kubernetes/api.ts'
import { serveExternalMetrics } from '../../src/kubernetes/external-metrics.ts'
import { readFrontProxy } from '../../src/kubernetes/front-proxy.ts'
import { until } from '../until.ts'
import { ApiServer, NAMESPACE } from './api-server.ts'
import {
  frontProxyCa,
  frontProxyCert,
  frontProxyKey,
  serverCa,
  serverCert,
  serverKey,
  somebodyCert,
  somebodyKey,
  strangerCert,
  strangerKey,
} from './certificates.ts'

const ROOT = '/apis/external.metrics.k8s.io/v1beta1'
const apiServer = { cert: frontProxyCert, key: frontProxyKey }

class Scene implements AsyncDisposable {
  readonly api = new ApiServer()
  values: { roomcast_connections: number; roomcast_gateways: number } | undefined = {
    roomcast_connections: 4_321,
    roomcast_gateways: 3,
  }
  readonly failures: unknown[] = []
  readonly #closer = new Closer()
  #port = 0

  async start(): Promise<void> {
    await this.api.start()
    this.#closer.add(() => this.api[Symbol.asyncDispose]())
    const folder = await mkdtemp(path.join(tmpdir(), 'roomcast-certificates-'))
    this.#closer.add(() => rm(folder, { recursive: true }))
    const [certFile, keyFile] = [path.join(folder, 'tls.crt'), path.join(folder, 'tls.key')]
    await writeFile(certFile, serverCert)
    await writeFile(keyFile, serverKey)
    const api = await connectKubernetes({
      namespace: NAMESPACE,
      kubeconfigFile: await this.api.kubeconfig(),
    })
    const server = await serveExternalMetrics({
      host: '127.0.0.1',
      port: 0,
      certFile,
      keyFile,
      namespace: NAMESPACE,
      frontProxy: () => readFrontProxy({ api }),
      values: () => this.values,
      now: () => Date.UTC(2026, 0, 1),
      onFailure: (error) => this.failures.push(error),
    })
    this.#closer.add(() => server.close())
    this.#port = server.port
  }

  async get(
    path: string,
    client: { cert?: string; key?: string } = apiServer,
  ): Promise<{ status: number; body: unknown }> {
    const sent = request({
      host: 'localhost',
      port: this.#port,
      path,
      ca: serverCa,
      agent: false,
      ...client,
    })
    return await new Promise((resolve, reject) => {
      sent.on('error', reject)
      sent.on('response', (answer) => {
        json(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject)
      })
      sent.end()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close()
  }
}

async function started(names = '["front-proxy-client"]'): Promise<Scene> {
  const scene = new Scene()
  scene.api.configMaps.set('extension-apiserver-authentication', {
    'requestheader-client-ca-file': frontProxyCa,
    'requestheader-allowed-names': names,
  })
  await scene.start()
  await until('the CA is known', async () => (await scene.get(ROOT)).status === 200)
  return scene
}

describe('the external metrics', () => {
  it('are found by discovery, and have values', async () => {
    await using scene = await started()
    expect((await scene.get(ROOT)).body).toMatchObject({
      kind: 'APIResourceList',
      resources: [
        { name: 'roomcast_connections', namespaced: true },
        { name: 'roomcast_gateways' },
      ],
    })
    expect((await scene.get('/apis')).body).toMatchObject({
      kind: 'APIGroupList',
      groups: [{ name: 'external.metrics.k8s.io' }],
    })
    const value = await scene.get(
      `${ROOT}/namespaces/${NAMESPACE}/roomcast_connections?labelSelector=`,
    )
    expect(value).toEqual({
      status: 200,
      body: {
        kind: 'ExternalMetricValueList',
        apiVersion: 'external.metrics.k8s.io/v1beta1',
        metadata: {},
        items: [
          {
            metricName: 'roomcast_connections',
            metricLabels: {},
            timestamp: '2026-01-01T00:00:00Z',
            value: '4321',
          },
        ],
      },
    })
  })

  it.each([
    ['another namespace', `${ROOT}/namespaces/other/roomcast_connections`, 404],
    ['another metric', `${ROOT}/namespaces/${NAMESPACE}/cpu`, 404],
    ['another path', '/healthz', 404],
    ['a selector', `${ROOT}/namespaces/${NAMESPACE}/roomcast_connections?labelSelector=a%3Db`, 400],
  ])('do not answer for %s', async (_what, path, status) => {
    await using scene = await started()
    expect(await scene.get(path)).toMatchObject({ status, body: { kind: 'Status', code: status } })
  })

  it('have no value while not every gateway has reported; discovery works', async () => {
    await using scene = await started()
    scene.values = undefined
    const path = `${ROOT}/namespaces/${NAMESPACE}/roomcast_connections`
    expect(await scene.get(path)).toMatchObject({
      status: 503,
      body: { reason: 'ServiceUnavailable' },
    })
    expect((await scene.get(ROOT)).status).toBe(200)
  })

  it('are for the API server alone', async () => {
    await using scene = await started()
    const refused = { status: 401, body: { reason: 'Unauthorized' } }
    expect(await scene.get(ROOT, {})).toMatchObject(refused)
    expect(await scene.get(ROOT, { cert: strangerCert, key: strangerKey })).toMatchObject(refused)
    expect(await scene.get(ROOT, { cert: somebodyCert, key: somebodyKey })).toMatchObject(refused)
  })

  it('are for any name that the CA signed where the cluster names none', async () => {
    await using scene = await started('[]')
    expect(await scene.get(ROOT, { cert: somebodyCert, key: somebodyKey })).toMatchObject({
      status: 200,
    })
    expect(await scene.get(ROOT, { cert: strangerCert, key: strangerKey })).toMatchObject({
      status: 401,
    })
  })

  it('are for nobody until the CA is known', async () => {
    await using scene = new Scene()
    await scene.start()
    await until('a failure', () => scene.failures.length > 0)
    expect(await scene.get(ROOT)).toMatchObject({ status: 401 })
  })
})
