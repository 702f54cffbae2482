import { ClientError } from '@roomcast/protocol'
import type { Following, Revocation, Revocations } from '@roomcast/roomlog'
import type { Log } from '@roomcast/runtime'
import type { Identity } from './identity.ts'

/** How often the list is read although nothing was told, in milliseconds: a net under what a subscription can lose without a sign. */
const READ_INTERVAL_MS = 30_000
/** How long to wait before an attempt to follow or to read that failed is repeated, in milliseconds. */
const RETRY_MS = 1_000

/** Whether a connection may be there: `unknown` while the list could not be read yet. */
export type Verdict = 'admitted' | 'revoked' | 'unknown'

/** Knows whose tokens are refused, and tells when connections are to be ended. */
export interface RevocationWatch {
  judge(identity: Pick<Identity, 'user' | 'issuedAt'> | undefined): Verdict
  close(): void
}

/**
 * Follows the revocations: subscribes, then reads the list, and reads it again after each interruption and now and then. `onRevoked` is
 * called once for each new one, however this gateway comes to know of it. What was on the list when it was first read is older than the
 * connections here, so it bears on tokens alone: `isNew` is then false.
 */
export function watchRevocations({
  revocations,
  onRevoked,
  log,
}: {
  readonly revocations: Revocations
  readonly onRevoked: (revocation: Revocation, isNew: boolean) => void
  readonly log: Log
}): RevocationWatch {
  let known = new Map<string, Revocation>()
  let isRead = false
  let isClosed = false
  let following: Following | undefined
  let retry: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let isReadAgainNeeded = false

  const learn = (revocation: Revocation, isNew: boolean): void => {
    const { user, at } = revocation
    if ((known.get(user)?.at ?? -1) >= at) return
    known.set(user, revocation)
    onRevoked(revocation, isNew)
  }

  const readOnce = async (): Promise<void> => {
    const listed = await revocations.list()
    if (isClosed) return
    for (const revocation of listed) learn(revocation, isRead)
    // What is no longer on the list is forgotten, except what was told while it was read.
    const last = listed.at(-1)?.at ?? 0
    const told = [...known].filter(([, { at }]) => at > last)
    known = new Map([
      ...listed.map((one) => [one.user, known.get(one.user) ?? one] as const),
      ...told,
    ])
    isRead = true
  }

  /** Runs once at a time; a wish that comes while it runs makes it run once more. */
  const read = (): void => {
    if (isClosed) return
    isReadAgainNeeded = true
    reading ??= (async () => {
      while (isReadAgainNeeded && !isClosed) {
        isReadAgainNeeded = false
        following ??= await revocations.follow({
          onRevoked: (revocation) => {
            if (!isClosed) learn(revocation, true)
          },
          onResumed: read,
        })
        await readOnce()
      }
    })()
      .catch((error: unknown) => {
        if (isClosed) return
        log.debug({ err: error }, 'the revocations could not be read; it is tried again')
        clearTimeout(retry)
        retry = setTimeout(read, RETRY_MS)
      })
      .finally(() => (reading = undefined))
  }
  read()
  const timer = setInterval(read, READ_INTERVAL_MS)
  timer.unref()

  return {
    judge(identity) {
      if (identity === undefined) return 'admitted'
      if (!isRead) return 'unknown'
      return isRevoked(identity, known.get(identity.user)) ? 'revoked' : 'admitted'
    },
    close() {
      isClosed = true
      clearInterval(timer)
      clearTimeout(retry)
      following?.stop()
    },
  }
}

/** Whether a token is of before a revocation. One that does not say when it was issued is. */
export function isRevoked(
  { issuedAt = 0 }: Pick<Identity, 'issuedAt'>,
  revocation: Pick<Revocation, 'tokensBefore'> | undefined,
): boolean {
  return revocation !== undefined && issuedAt < revocation.tokensBefore
}

/** What a client is told whose connection a moderator ended, or whose token is of before that. */
export function refusalOfRevocation(reason: string | undefined): ClientError {
  const words = 'a moderator ended your connections'
  return new ClientError('revoked', reason === undefined ? words : `${words}: ${reason}`)
}
