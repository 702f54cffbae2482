import { describe, expect, it } from '@jest/globals'
import type { SettingsError } from '@roomcast/runtime'
import { parseConfig } from '../src/config.ts'

const inPod = {
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  POD_NAMESPACE: 'chat',
  GATEWAY_SELECTOR: 'app.kubernetes.io/component=gateway',
}
const files = {
  EXTERNAL_METRICS_CERT_FILE: '/tls/tls.crt',
  EXTERNAL_METRICS_KEY_FILE: '/tls/tls.key',
}

/** The variables that are at fault. */
function faultsOf(env: Record<string, string>): string[] {
  try {
    parseConfig(env)
    return []
  } catch (error) {
    return (error as SettingsError).faults.map((line) => line.split(':')[0] ?? '')
  }
}

describe('the settings of what presence does besides counting', () => {
  it('ask for nothing unless they are set', () => {
    expect(parseConfig({}).duties).toEqual({
      peers: [],
      kubernetes: undefined,
      rebalance: undefined,
      externalMetrics: undefined,
    })
  })

  it('use Kubernetes where the gateways’ labels are known', () => {
    expect(parseConfig({ ...inPod, POD_DELETION_COST: 'true' }).duties.kubernetes).toEqual({
      namespace: 'chat',
      gatewaySelector: 'app.kubernetes.io/component=gateway',
      leaseName: 'roomcast-presence',
      kubeconfigFile: undefined,
      deletionCost: true,
    })
  })

  it('take percents for parts', () => {
    expect(parseConfig({ REBALANCE: 'true' }).duties.rebalance).toEqual({
      tolerance: 0.3,
      batch: 0.05,
      intervalMs: 30_000,
    })
  })

  it.each([
    [{ GATEWAY_SELECTOR: 'a=b' }, ['KUBERNETES_SERVICE_HOST', 'POD_NAMESPACE']],
    [{ GATEWAY_SELECTOR: 'a=b', KUBECONFIG: '/k', POD_NAMESPACE: 'chat' }, []],
    [{ POD_DELETION_COST: 'true' }, ['GATEWAY_SELECTOR']],
    [{ ...inPod, ...files, EXTERNAL_METRICS_PORT: '8443' }, []],
    [
      { EXTERNAL_METRICS_PORT: '8443' },
      [
        'POD_NAMESPACE',
        'EXTERNAL_METRICS_CERT_FILE',
        'EXTERNAL_METRICS_KEY_FILE',
        'EXTERNAL_METRICS_CLIENT_CA_FILE',
      ],
    ],
    [{ PRESENCE_PEERS: 'presence-1:8090' }, ['PRESENCE_PEERS']],
    [{ POD_NAMESPACE: 'Chat', LEASE_NAME: '/' }, ['POD_NAMESPACE', 'LEASE_NAME']],
  ])('%j is at fault in %j', (env, variables) => {
    expect(faultsOf(env)).toEqual(variables)
  })
})
