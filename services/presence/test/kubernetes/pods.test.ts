import { describe, expect, it } from '@jest/globals'
import { Closer } from '@roomcast/runtime'
import { connectKubernetes } from '../../src/kubernetes/api.ts'
import { watchPods, type PodWatch } from '../../src/kubernetes/pods.ts'
import { until } from '../until.ts'
import { ApiServer, NAMESPACE } from './api-server.ts'

class Scene implements AsyncDisposable {
  readonly server = new ApiServer()
  readonly failures: unknown[] = []
  /** Names of the pods, each time they were told. */
  readonly told: string[] = []
  readonly #closer = new Closer()

  async watch({ relistMs = 60_000 }: { relistMs?: number } = {}): Promise<PodWatch> {
    await this.server.start()
    this.#closer.add(() => this.server[Symbol.asyncDispose]())
    const api = await connectKubernetes({
      namespace: NAMESPACE,
      kubeconfigFile: await this.server.kubeconfig(),
    })
    const pods = watchPods({
      api,
      selector: 'app=gateway',
      clock: () => performance.now(),
      onChange: (found) => this.told.push(found.map(({ name }) => name).join()),
      onFailure: (error) => this.failures.push(error),
      relistMs,
      retryMinMs: 20,
    })
    this.#closer.add(() => pods.close())
    return pods
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close()
  }
}

const names = (pods: PodWatch): string | undefined =>
  pods
    .list()
    ?.map(({ name }) => name)
    .sort()
    .join()

describe('the watch of the gateways’ pods', () => {
  it('knows those that are there, that come, that change and that go, and no others', async () => {
    await using scene = new Scene()
    scene.server.putPod('a')
    scene.server.putPod('broker', {}, { app: 'broker' })
    const pods = await scene.watch()
    expect(pods.list()).toBe(undefined)
    expect(pods.ageMs()).toBe(undefined)
    await until('a', () => names(pods) === 'a')
    scene.server.putPod('b', { status: { phase: 'Pending' } })
    await until('b', () => names(pods) === 'a,b')
    expect(pods.list()?.find(({ name }) => name === 'b')).toMatchObject({ uid: 'uid-b', ip: '' })
    scene.server.putPod('b', { status: { phase: 'Running', podIP: '10.0.0.7' } })
    await until('its address', () => pods.list()?.some(({ ip }) => ip === '10.0.0.7'))
    scene.server.deletePod('a')
    await until('a is gone', () => names(pods) === 'b')
    expect(scene.told.at(-1)).toBe('b')
    expect(scene.failures).toEqual([])
  })

  it('goes on where it was when the server ends a watch', async () => {
    await using scene = new Scene()
    scene.server.putPod('a')
    const pods = await scene.watch()
    await until('the watch', () => scene.server.watches === 1)
    scene.server.endWatches()
    scene.server.putPod('b')
    await until('b', () => names(pods) === 'a,b')
    expect(scene.server.requests.filter((line) => line.endsWith('/pods'))).toHaveLength(1)
    expect(scene.failures).toEqual([])
  })

  it('lists again when the server has forgotten where it was', async () => {
    await using scene = new Scene()
    scene.server.putPod('a')
    const pods = await scene.watch()
    await until('the watch', () => scene.server.watches === 1)
    scene.server.isMute = true
    scene.server.deletePod('a')
    scene.server.putPod('b')
    scene.server.compact()
    scene.server.isMute = false
    scene.server.endWatches()
    await until('what is there now', () => names(pods) === 'b')
  })

  it('keeps what it knew while the server is away, tells its age, and catches up', async () => {
    await using scene = new Scene()
    scene.server.putPod('a')
    const pods = await scene.watch()
    await until('the watch', () => scene.server.watches === 1)
    await scene.server.stop()
    await until('failures', () => scene.failures.length >= 3)
    expect(names(pods)).toBe('a')
    const agedMs = pods.ageMs() ?? 0
    await until('it ages', () => (pods.ageMs() ?? 0) > agedMs)
    scene.server.deletePod('a')
    scene.server.putPod('b')
    await scene.server.start()
    await until('what is there now', () => names(pods) === 'b')
    scene.server.putPod('c')
    await until('the watch works again', () => names(pods) === 'b,c')
  })

  it.each([403, 500])('tries again when it is refused with %i', async (status) => {
    await using scene = new Scene()
    scene.server.refusal = status
    const pods = await scene.watch()
    await until('failures', () => scene.failures.length >= 2)
    expect(pods.list()).toBe(undefined)
    scene.server.refusal = undefined
    scene.server.putPod('a')
    await until('a', () => names(pods) === 'a')
  })

  it('lists again after a while, whatever the watch missed', async () => {
    await using scene = new Scene()
    scene.server.isMute = true
    const pods = await scene.watch({ relistMs: 100 })
    await until('the watch', () => scene.server.watches === 1)
    scene.server.putPod('a')
    await until('a', () => names(pods) === 'a')
    await until('the old watches are gone', () => scene.server.watches <= 1)
    expect(scene.failures).toEqual([])
  })
})
