import type { Leadership } from '../leader.ts'
import { repeat } from '../repeat.ts'
import type { KubernetesApi } from './api.ts'
import {
  afterRead,
  afterWrite,
  begin,
  isLeading,
  release,
  RETRY_MS,
  stand,
  type Candidacy,
  type Step,
  type Time,
  type Write,
} from './lease.ts'

/** By how much more at random a candidate waits, as a part of the pause: so that candidates do not stay in step. */
const RETRY_JITTER = 0.2

/**
 * Stands for election by a Lease of this name. At most one candidate leads at a time as long as nobody's clock runs a third faster than
 * another's. A leader that is killed is followed after 15 to 18 s, one that closes within 3 s. Without the API nobody leads.
 */
export function standForElection({
  api,
  name,
  identity,
  clock,
  now,
  onChange,
  onFailure,
  retryMs = RETRY_MS,
}: {
  readonly api: Pick<KubernetesApi, 'readLease' | 'createLease' | 'replaceLease'>
  readonly name: string
  /** Of this process alone, new with each start. */
  readonly identity: string
  /** Never jumps; in milliseconds. */
  readonly clock: () => number
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onChange: (isLeader: boolean) => void
  readonly onFailure: (error: unknown) => void
  readonly retryMs?: number
}): Leadership {
  let candidacy: Candidacy = stand(identity)
  let wasLeader = false
  const time = (): Time => ({ clockMs: clock(), wallMs: now() })
  const note = (): void => {
    const isLeader = isLeading(candidacy, clock())
    if (isLeader !== wasLeader) onChange(isLeader)
    wasLeader = isLeader
  }

  const write = async (step: Write): Promise<void> => {
    const sentAtMs = clock()
    try {
      const outcome =
        step.do === 'create'
          ? await api.createLease(name, step.terms)
          : await api.replaceLease(name, step.version, step.terms)
      candidacy = afterWrite(candidacy, outcome, sentAtMs)
    } catch (error) {
      candidacy = afterWrite(candidacy, 'failed', sentAtMs)
      throw error
    }
  }

  const attempt = async (): Promise<void> => {
    let step: Step = begin(candidacy, time())
    if (step.do === 'read') {
      const found = await api.readLease(name)
      ;({ candidacy, step } = afterRead(candidacy, found, time()))
    }
    if (step.do === 'create' || step.do === 'replace') await write(step)
  }

  const attempts = repeat(
    () => retryMs * (1 + RETRY_JITTER * Math.random()),
    () => attempt().finally(note),
    onFailure,
  )
  let closing: Promise<void> | undefined
  const leave = async (): Promise<void> => {
    await attempts.close()
    const last = release(candidacy, time())
    candidacy = stand(identity)
    note()
    if (last?.do !== 'replace') return
    try {
      await api.replaceLease(name, last.version, last.terms)
    } catch (error) {
      // The next one waits until the lease runs out, as after a kill.
      onFailure(error)
    }
  }
  return {
    isLeader: () => isLeading(candidacy, clock()),
    close: () => (closing ??= leave()),
  }
}
