import { isReady, type Deployment, type TestService } from '../../test/support/deployment.ts'
import { within } from '../../test/support/processes.ts'
import { SPARED, type Fault, type Part } from './faults.ts'

/** How long a drain may take before the process is killed. */
const DRAIN_LIMIT_MS = 20_000
/** How long a service that was started again may need until it is ready, whatever else happens meanwhile. */
const START_LIMIT_MS = 60_000
/** Starts of a service: another process may have taken its port in the meantime. */
const STARTS_MAX = 5
/** How long Redis may take to answer a command of the run itself. */
const ADMIN_LIMIT_MS = 5_000

/** What became of a fault. */
export interface Outcome {
  readonly fault: Fault
  /** `skipped`: the replica, or the last ones to be spared, were not well yet. */
  readonly result: 'done' | 'skipped' | 'failed'
  /** From its beginning until the part was of use again. */
  readonly tookMs: number
  readonly note: string
}

export interface Injection {
  /** Resolves when the replica is well again. Never rejects. */
  inject(fault: Fault): Promise<Outcome>
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

/** Does faults to the processes of a deployment and undoes them. */
export function createInjection(deployment: Deployment): Injection {
  const { redis } = deployment
  const busy = new Map<Part, Set<number>>()
  const listOf = (part: Part): readonly TestService[] => {
    switch (part) {
      case 'gateway':
        return deployment.gateways
      case 'broker':
        return deployment.brokers
      case 'presence':
        return deployment.presences
      case 'redis':
        return []
    }
  }
  const replicasOf = (part: Part): number => (part === 'redis' ? 1 : listOf(part).length)
  const serviceOf = (part: Part, replica: number): TestService => {
    const service = listOf(part)[replica]
    if (service === undefined) throw new Error(`there is no ${part} ${replica + 1}`)
    return service
  }

  const startAgain = async (ended: TestService): Promise<void> => {
    const deadline = Date.now() + START_LIMIT_MS
    let service = ended
    for (let starts = 0; ;) {
      if (hasEnded(service)) {
        if (++starts > STARTS_MAX) throw new Error(`it does not start:\n${service.output()}`)
        service = await deployment.restart(service)
      }
      try {
        await isReady(service)
        return
      } catch (error) {
        if (Date.now() > deadline) throw error
      }
    }
  }

  const kill = async (service: TestService, awayMs: number): Promise<void> => {
    if (!hasEnded(service)) {
      service.signal('SIGKILL')
      await service.ended()
    }
    await pause(awayMs)
    await startAgain(service)
  }

  const killRedis = async (awayMs: number): Promise<void> => {
    await redis.kill()
    await pause(awayMs)
    for (let starts = 1; ; starts++) {
      try {
        await redis.restart()
        return
      } catch (error) {
        if (starts === STARTS_MAX) throw error
      }
    }
  }

  const cutRedis = async (type: 'pubsub' | 'normal'): Promise<string> => {
    const cut = redis.admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')
    return `${String(await within(ADMIN_LIMIT_MS, `CLIENT KILL TYPE ${type}`, cut))} cut`
  }

  /** Does it and undoes it; resolves with what there is to say about it. */
  const hit = async ({ kind, part, replica, lastsMs }: Fault): Promise<string> => {
    switch (kind) {
      case 'kill gateway':
      case 'kill broker':
      case 'kill presence':
        await kill(serviceOf(part, replica), lastsMs)
        return ''
      case 'drain gateway': {
        const gateway = serviceOf(part, replica)
        gateway.signal('SIGTERM')
        const status = await gateway.ended(DRAIN_LIMIT_MS).catch(() => 'a kill')
        await kill(gateway, lastsMs)
        return status === 0 ? '' : `ended with ${status}`
      }
      case 'pause gateway':
      case 'pause broker': {
        const service = serviceOf(part, replica)
        service.signal('SIGSTOP')
        await pause(lastsMs)
        service.signal('SIGCONT')
        return ''
      }
      case 'kill redis':
        await killRedis(lastsMs)
        return ''
      case 'pause redis':
        redis.pause()
        await pause(lastsMs)
        redis.resume()
        return ''
      case 'cut redis subscribers':
        return cutRedis('pubsub')
      case 'cut redis clients':
        return cutRedis('normal')
    }
  }

  return {
    async inject(fault) {
      const { part, replica } = fault
      const started = Date.now()
      const hurt = busy.get(part) ?? new Set<number>()
      busy.set(part, hurt)
      if (hurt.has(replica) || replicasOf(part) - hurt.size <= SPARED[part]) {
        return { fault, result: 'skipped', tookMs: 0, note: '' }
      }
      hurt.add(replica)
      try {
        const note = await hit(fault)
        return { fault, result: 'done', tookMs: Date.now() - started, note }
      } catch (error) {
        return { fault, result: 'failed', tookMs: Date.now() - started, note: String(error) }
      } finally {
        hurt.delete(replica)
      }
    },
  }
}

function hasEnded({ child }: TestService): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
