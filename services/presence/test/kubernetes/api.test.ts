import { describe, expect, it } from '@jest/globals'
import { StartError } from '@roomcast/runtime'
import { connectKubernetes, parsePod } from '../../src/kubernetes/api.ts'
import { apiErrorOf } from '../../src/kubernetes/api-error.ts'
import { keepDeletionCosts } from '../../src/kubernetes/deletion-cost.ts'
import { until } from '../until.ts'
import { ApiServer, NAMESPACE } from './api-server.ts'

describe('the requests to the Kubernetes API', () => {
  it('that took too long have no status, although what is thrown has a code', () => {
    const error = apiErrorOf(
      'reading the lease',
      new DOMException('it took too long', 'TimeoutError'),
    )
    expect(error).toMatchObject({
      message: expect.stringMatching(/^while reading the lease: .*it took too long/),
      status: undefined,
    })
  })

  it('say what they were for when they fail, and with which status', async () => {
    await using server = new ApiServer()
    await server.start()
    const api = await connectKubernetes({
      namespace: NAMESPACE,
      kubeconfigFile: await server.kubeconfig(),
    })
    server.refusal = 403
    await expect(api.readLease('presence')).rejects.toMatchObject({
      message: 'while reading the lease: 403 this is refused',
      status: 403,
    })
    server.refusal = undefined
    await expect(api.readLease('presence')).resolves.toBe(undefined)
    await server.stop()
    await expect(api.readLease('presence')).rejects.toMatchObject({
      message: expect.stringMatching(/^while reading the lease: ./),
      status: undefined,
    })
    await server.start()
    await expect(api.readLease('presence')).resolves.toBe(undefined)
  })

  it('do not begin with a kubeconfig that is not there', async () => {
    const access = { namespace: NAMESPACE, kubeconfigFile: '/nowhere/config' }
    await expect(connectKubernetes(access)).rejects.toThrow(StartError)
  })
})

describe('a pod as the API tells of it', () => {
  const metadata = { uid: 'u', name: 'p', creationTimestamp: '2026-01-01T00:00:00Z' }
  const cost = (text: string) => ({
    metadata: { ...metadata, annotations: { 'controller.kubernetes.io/pod-deletion-cost': text } },
  })
  it.each([
    [{ metadata }, { ip: '', isTerminating: false, isOver: false, deletionCost: undefined }],
    [{ metadata: { ...metadata, creationTimestamp: new Date(5) } }, { createdAtMs: 5 }],
    [
      { metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
      { isTerminating: true },
    ],
    [{ metadata, status: { phase: 'Failed' } }, { isOver: true }],
    [{ metadata, status: { phase: 'Running', podIP: '10.1.1.1' } }, { ip: '10.1.1.1' }],
    [cost('-7'), { deletionCost: -7 }],
    [cost('much'), { deletionCost: undefined }],
  ])('%j', (object, expected) => {
    expect(parsePod(object)).toMatchObject(expected)
  })

  it('is none without a name', () => {
    expect(parsePod({ metadata: { uid: 'u' } })).toBe(undefined)
    expect(parsePod(undefined)).toBe(undefined)
  })
})

describe('deletion costs', () => {
  it('are written by the leader alone, once for each pod, and not to pods that are gone', async () => {
    await using server = new ApiServer()
    await server.start()
    const api = await connectKubernetes({
      namespace: NAMESPACE,
      kubeconfigFile: await server.kubeconfig(),
    })
    for (const name of ['a', 'b', 'idle']) server.putPod(name)
    const pods = ['a', 'b', 'idle', 'gone'].map((name) => ({
      ...(parsePod({ metadata: { uid: name, name } }) ?? { uid: '', name, ip: '', createdAtMs: 0 }),
      isTerminating: false,
      isOver: false,
      deletionCost: undefined,
    }))
    let isLeader = false
    const looks: number[] = []
    const failures: unknown[] = []
    const written: string[] = []
    const costs = keepDeletionCosts({
      api,
      pods: () => pods,
      connections: () => {
        looks.push(1)
        return new Map(Object.entries({ a: 5_000, b: 10, idle: 0, gone: 10 }))
      },
      isLeader: () => isLeader,
      clock: () => performance.now(),
      onWrite: ({ pod, cost }) => written.push(`${pod}=${cost}`),
      onFailure: (error) => failures.push(error),
      roundMs: 5,
    })
    await until('some looks', () => looks.length > 2)
    expect(written).toEqual([])
    isLeader = true
    await until('the costs', () => server.costOf('a') === '13' && server.costOf('b') === '4')
    const seen = looks.length
    await until('more looks', () => looks.length > seen + 3)
    await costs.close()
    expect(written.sort()).toEqual(['a=13', 'b=4'])
    expect(server.costOf('idle')).toBe(undefined)
    expect(failures).toEqual([])
  })
})
