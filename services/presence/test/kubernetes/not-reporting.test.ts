import { describe, expect, it } from '@jest/globals'
import { parseConfig } from '../../src/index.ts'
import { get, Scene } from '../replicas.ts'
import { until } from '../until.ts'
import { ApiServer, NAMESPACE } from './api-server.ts'

interface Shown {
  pod: string
  state: string
  address: string
}

describe('presence in a cluster', () => {
  it('shows the pods that do not report beside the gateways that do, leads, and goes on without the API', async () => {
    await using server = new ApiServer()
    await server.start()
    server.putPod('pod-a')
    server.putPod('pod-b', { status: { phase: 'Pending' } })
    server.putPod('done', { status: { phase: 'Failed' } })
    await using scene = new Scene()
    const { duties } = parseConfig({
      KUBECONFIG: await server.kubeconfig(),
      GATEWAY_SELECTOR: 'app=gateway',
      POD_NAMESPACE: NAMESPACE,
    })
    const { url, metricsPort } = await scene.presence({ duties })
    scene.gateway('a', [url])
    const shown = async (): Promise<string> => {
      const { gateways } = (await get(`${url}/v1/gateways`)).body as { gateways: Shown[] }
      return gateways.map(({ pod, state }) => `${pod} ${state}`).join(', ')
    }
    await until('both', async () => (await shown()) === 'pod-a ready, pod-b not_reporting')
    const metrics = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    await until('it leads', async () => /^roomcast_presence_leader\S* 1/m.test(await metrics()))
    expect(await metrics()).toMatch(/^roomcast_presence_pods_age_seconds\S* 0/m)

    scene.gateway('b', [url])
    await until('b reports', async () => (await shown()) === 'pod-a ready, pod-b ready')
    await server.stop()
    await until('failures are counted', async () =>
      /^roomcast_presence_kubernetes_failures_total\S*use="pods"/m.test(await metrics()),
    )
    expect(await shown()).toBe('pod-a ready, pod-b ready')
  })
})
