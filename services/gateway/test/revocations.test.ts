import { afterAll, describe, expect, it } from '@jest/globals'
import { createMemoryLog, type Revocation, type Revocations } from '@roomcast/roomlog'
import { createLog } from '@roomcast/runtime'
import { until } from '../../../test/support/processes.ts'
import { watchRevocations } from '../src/revocations.ts'

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())
const log = createLog('test', 'silent')
const alice = (issuedAt: number | undefined) => ({ user: 'alice', issuedAt })

/** Revocations whose subscription can be interrupted, and whose list can be away. */
function interruptible(now: () => number) {
  const { revocations } = createMemoryLog({ now })
  let isAway = false
  let resumed: () => void = () => undefined
  const broken: Revocations = {
    ...revocations,
    list: () => (isAway ? Promise.reject(new Error('away')) : revocations.list()),
    async follow(follower) {
      resumed = () => follower.onResumed()
      return revocations.follow({
        ...follower,
        onRevoked: (one) => {
          if (!isAway) follower.onRevoked(one)
        },
      })
    },
  }
  return {
    revocations: broken,
    cut: () => (isAway = true),
    heal: () => {
      isAway = false
      resumed()
    },
  }
}

function watching(revocations: Revocations) {
  const heard: [user: string, isNew: boolean][] = []
  const watch = watchRevocations({
    revocations,
    onRevoked: ({ user }: Revocation, isNew) => heard.push([user, isNew]),
    log,
  })
  stack.defer(() => watch.close())
  return { watch, heard }
}

describe('revocations', () => {
  it('refuse the tokens of before, let later ones in, and do not know before they were read', async () => {
    const { revocations } = interruptible(() => 5_500)
    await revocations.add('alice', { revokesTokens: true })
    const { watch, heard } = watching(revocations)
    expect(watch.judge(alice(9_000))).toBe('unknown')
    expect(watch.judge(undefined)).toBe('admitted')
    await until('the list', () => watch.judge(alice(9_000)) === 'admitted')
    // 5,000 is in the second of the revocation.
    expect([undefined, 4_000, 5_000, 6_000].map((at) => watch.judge(alice(at)))).toEqual([
      'revoked',
      'revoked',
      'revoked',
      'admitted',
    ])
    expect(watch.judge({ user: 'bob', issuedAt: 1_000 })).toBe('admitted')
    expect(heard).toEqual([['alice', false]])
  })

  it('that came while the subscription was interrupted are found when it is back, and told once', async () => {
    let now = 1_000
    const { revocations, cut, heal } = interruptible(() => now)
    const { watch, heard } = watching(revocations)
    await until('the list', () => watch.judge(alice(1)) === 'admitted')
    cut()
    now = 2_000
    await revocations.add('alice', { revokesTokens: true })
    expect(watch.judge(alice(1_000))).toBe('admitted')
    heal()
    await until('the revocation', () => watch.judge(alice(1_000)) === 'revoked')
    heal()
    now = 3_000
    await revocations.add('alice', { revokesTokens: false })
    await until('the second', () => heard.length === 2)
    expect(heard).toEqual([
      ['alice', true],
      ['alice', true],
    ])
    // The second one said nothing of tokens: the first one's word stays.
    expect(watch.judge(alice(1_000))).toBe('revoked')
    expect(watch.judge(alice(2_500))).toBe('admitted')
  })
})
