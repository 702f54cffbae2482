import { describe, expect, it } from '@jest/globals'
import { Closer } from '@roomcast/runtime'
import { connectKubernetes, type KubernetesApi } from '../../src/kubernetes/api.ts'
import { standForElection } from '../../src/kubernetes/election.ts'
import type { Leadership } from '../../src/leader.ts'
import { until } from '../until.ts'
import { ApiServer, NAMESPACE } from './api-server.ts'

/** How much faster than time the clock of a scene runs: leases are short, and in proportion. */
const SPEED = 30
const LEASE = 'presence'

interface Candidate extends Leadership {
  readonly changes: boolean[]
  readonly failures: unknown[]
  /** Ends as by a kill: nothing it sends arrives any more. */
  kill(): void
}

class Scene implements AsyncDisposable {
  readonly server = new ApiServer()
  readonly #closer = new Closer()
  readonly now = (): number => SPEED * performance.now()

  async start(): Promise<void> {
    await this.server.start()
    this.#closer.add(() => this.server[Symbol.asyncDispose]())
  }

  async candidate(identity: string): Promise<Candidate> {
    const api = await connectKubernetes({
      namespace: NAMESPACE,
      kubeconfigFile: await this.server.kubeconfig(),
    })
    let isDead = false
    const living = <T>(request: () => Promise<T>): Promise<T> =>
      isDead ? Promise.reject(new Error('dead')) : request()
    const mortal: Pick<KubernetesApi, 'readLease' | 'createLease' | 'replaceLease'> = {
      readLease: (name) => living(() => api.readLease(name)),
      createLease: (name, terms) => living(() => api.createLease(name, terms)),
      replaceLease: (name, version, terms) => living(() => api.replaceLease(name, version, terms)),
    }
    const changes: boolean[] = []
    const failures: unknown[] = []
    const leadership = standForElection({
      api: mortal,
      name: LEASE,
      identity,
      clock: this.now,
      now: Date.now,
      onChange: (isLeader) => changes.push(isLeader),
      onFailure: (error) => failures.push(error),
      retryMs: 2_000 / SPEED,
    })
    this.#closer.add(() => leadership.close())
    return { ...leadership, changes, failures, kill: () => (isDead = true) }
  }

  get holder(): unknown {
    const spec = this.server.leases.get(LEASE)?.['spec'] as { holderIdentity: unknown } | undefined
    return spec?.holderIdentity
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close()
  }
}

describe('an election by a Lease', () => {
  it('has one leader, who writes his name and renews it', async () => {
    await using scene = new Scene()
    await scene.start()
    const [a, b] = [await scene.candidate('a'), await scene.candidate('b')]
    await until('a leader', () => a.isLeader() || b.isLeader())
    const first = scene.server.leases.get(LEASE)
    expect(first?.['spec']).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 0 })
    await until('it is renewed', () => scene.server.leases.get(LEASE) !== first)
    expect([a.isLeader(), b.isLeader()].filter(Boolean)).toHaveLength(1)
    expect(scene.holder).toBe(a.isLeader() ? 'a' : 'b')
    expect([...a.failures, ...b.failures]).toEqual([])
  })

  it('goes to the next at once when the leader closes', async () => {
    await using scene = new Scene()
    await scene.start()
    const a = await scene.candidate('a')
    await until('a leads', () => a.isLeader())
    const b = await scene.candidate('b')
    await a.close()
    await a.close()
    expect(a.isLeader()).toBe(false)
    expect(a.changes).toEqual([true, false])
    const sinceMs = scene.now()
    await until('b leads', () => b.isLeader())
    expect(scene.now() - sinceMs).toBeLessThan(15_000)
    expect(scene.server.leases.get(LEASE)?.['spec']).toMatchObject({ leaseTransitions: 1 })
  })

  it('takes a lease that somebody made for it, and leaves on it what it is marked with', async () => {
    await using scene = new Scene()
    const marks = { labels: { release: 'chat' }, annotations: { owner: 'helm' } }
    scene.server.leases.set(LEASE, { metadata: { name: LEASE, resourceVersion: '0', ...marks } })
    await scene.start()
    const a = await scene.candidate('a')
    await until('a leads', () => a.isLeader())
    const first = scene.server.leases.get(LEASE)
    await until('it is renewed', () => scene.server.leases.get(LEASE) !== first)
    expect(scene.holder).toBe('a')
    expect(scene.server.leases.get(LEASE)?.metadata).toMatchObject(marks)
  })

  it('goes to the next when the leader is dead, after he has stopped to lead', async () => {
    await using scene = new Scene()
    await scene.start()
    const a = await scene.candidate('a')
    await until('a leads', () => a.isLeader())
    const b = await scene.candidate('b')
    a.kill()
    await until('a leads no more', () => !a.isLeader())
    expect(b.isLeader()).toBe(false)
    await until('b leads', () => b.isLeader())
    expect(scene.holder).toBe('b')
  })

  it('takes the leadership from one whose lease somebody else wrote', async () => {
    await using scene = new Scene()
    await scene.start()
    const a = await scene.candidate('a')
    await until('a leads', () => a.isLeader())
    const lease = scene.server.leases.get(LEASE)
    if (lease === undefined) throw new Error('no lease')
    scene.server.leases.set(LEASE, {
      metadata: { ...lease.metadata, resourceVersion: 'other' },
      spec: { ...(lease['spec'] as object), holderIdentity: 'z' },
    })
    await until('a leads no more', () => !a.isLeader())
    expect(a.changes).toEqual([true, false])
    await until('a leads again when that has run out', () => a.isLeader())
  })

  it('survives an outage of the API that is shorter than the deadline, and makes the lease again when it was deleted', async () => {
    await using scene = new Scene()
    await scene.start()
    const a = await scene.candidate('a')
    await until('a leads', () => a.isLeader())
    await scene.server.stop()
    await until('a failure', () => a.failures.length > 0)
    await scene.server.start()
    const lease = scene.server.leases.get(LEASE)
    await until('it is renewed', () => scene.server.leases.get(LEASE) !== lease)
    scene.server.leases.delete(LEASE)
    await until('it is there again', () => scene.holder === 'a')
    await until('a leads', () => a.isLeader())
  })
})
